/* drivers/network/fake/world.h - the pretended kernel, shared by the files of the fake driver. */
#pragma once
#include "base/map.h"
#include "drivers/network/fake/fake.h"

struct fake_port {
    struct port_config config;
    bool is_whole; /* false: a crash or failure left it half-made */
    int peer;      /* our end of the descriptor given by port_open(), or -1 */
    struct port_counters counters;
};

struct fake_network {
    struct network_config *config;
    bool is_up; /* false: half-made */
    bool dhcp_running;
    struct map *ports; /* of struct fake_port */
};

enum { FAKE_DIALLED_MAX = 64 };

struct network_fake {
    struct map *networks; /* of struct fake_network */
    struct network_fake_settings settings;
    const char *fail_call; /* borrowed from the table of calls; NULL: none */
    enum err_code fail_code;
    char violation[256];
    struct fake_dialled {
        int fd;
        struct ip_addr to;
        uint16_t port;
    } dialled[FAKE_DIALLED_MAX]; /* far ends, oldest first */
    size_t dialled_count;
    struct network_fake_driver *driver; /* that has it open */
};

/* Changes of the world. 'whole' false leaves what a crash in the middle leaves. */
void netfake_network_ensure(struct network_fake *fake, const struct network_config *config,
                            bool whole);
void netfake_network_remove(struct network_fake *fake, const char *uid, bool whole);
int netfake_port_ensure(struct network_fake *fake, const struct port_config *port, bool whole,
                        struct err *err);
void netfake_port_remove(struct network_fake *fake, const char *network_uid, const char *id,
                         bool whole);
int netfake_port_open(struct network_fake *fake, const char *network_uid, const char *id,
                      int *ret_fd, struct err *err);
int netfake_dial(struct network_fake *fake, const char *network_uid, const struct ip_addr *to,
                 uint16_t port, int *ret_fd, struct err *err);

/* A descriptor that stands for the namespace. */
int netfake_namespace_open(struct network_fake *fake, const char *uid, int *ret_fd, struct err *err);

struct fake_network *netfake_network(const struct network_fake *fake, const char *uid);
struct fake_port *netfake_port(const struct network_fake *fake, const char *network_uid,
                               const char *id);

/* The driver that has the world open hears of a change; defined in driver.c. */
void netfake_driver_changed(struct network_fake_driver *driver, const char *network_uid);
void netfake_driver_dhcp_back(struct network_fake_driver *driver, const char *network_uid,
                              int64_t after_ms);
