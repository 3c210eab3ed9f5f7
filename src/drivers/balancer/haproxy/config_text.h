/* drivers/balancer/haproxy/config_text.h - HAProxy's configuration as text: pure.
 *
 * All sockets are inherited descriptors: the admin socket is ADMIN_FD, the listeners follow in
 * their order. So the proxy needs no right to open ports, and a port stays open while one proxy
 * takes over from another. */
#pragma once
#include "base/str.h"
#include "drivers/balancer.h"

enum { ADMIN_FD = 3, FIRST_LISTENER_FD = 4 };

/* How listeners and backends are called in the configuration and so in statistics. */
#define LISTENER_PREFIX "l_"
#define BACKEND_PREFIX "b_"

struct config_facts {
    unsigned threads;
    unsigned connections_max;    /* what the limit of open files allows */
    const char *cookie_key;      /* secret that cookies are derived with */
    const char *log_socket;      /* path of the datagram socket samples of requests are sent to */
    const char *folder;          /* with X.pem, the certificate of listener X, and the script that holds */
};

/* Which listeners have their socket, by index; one that has none is left out. */
struct config_open {
    bool is_open[BALANCER_LISTENERS_MAX];
};

/* 'starts_up' says which members are written down (they get traffic from the start on); NULL: none,
 * which gives the text by which two configurations are compared: members come and go without. */
typedef bool config_starts_up_fn(void *arg, const struct balancer_backend *backend,
                                 const struct balancer_member *member);
void config_text(const struct balancer_config *config, const struct config_open *open,
                 const struct config_facts *facts, config_starts_up_fn *starts_up, void *arg,
                 struct buf *to);
/* What config_text() would have given without members. */
void config_text_without_members(const char *text, struct buf *to);

/* Everything behind the name of a server: "10.0.0.2:80 check inter 2000 ...". */
void config_server(const struct balancer_backend *backend, const struct balancer_member *member,
                   struct buf *to);
/* "10.0.0.2:80" and "[fd00::2]:80", as HAProxy shows them in statistics, too. */
enum { ENDPOINT_TEXT_SIZE = 64 };
void endpoint_format(const struct ip_addr *addr, uint16_t port, char to[ENDPOINT_TEXT_SIZE]);
