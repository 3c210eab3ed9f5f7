/* api/front.h - TLS in front of libmicrohttpd.
 *
 *     client <== TLS ==> link <-- socketpair --> libmicrohttpd (plain HTTP)
 *
 * libmicrohttpd can speak TLS itself, but 0.9.75 (Debian 12) pumps an upgraded TLS connection
 * through a buffer of 8 bytes once its memory pool is used up, which it always is: a WebSocket then
 * carries 0.3 MB/s. Here HTTP and WebSockets run the same code over TLS as over the unix socket,
 * and certificates are verified, renewed and resumed in our own hands. */
#pragma once
#include "api/user.h"

struct certificates;
struct front;
struct MHD_Daemon;

struct front_setup {
    struct loop *loop;
    struct certificates *certificates;
    struct MHD_Daemon *mhd;   /* gets the decrypted connections */
    void (*added)(void *arg); /* libmicrohttpd has something to do */
    void *arg;
    unsigned link_count_max;
};

/* Accepts on 'take_fd' from now on. */
struct front *front_new(const struct front_setup *setup, int take_fd);
void front_free(struct front *front); /* cuts all links; NULL is fine */

/* Who is behind descriptor 'fd' of libmicrohttpd; NULL when it is not one of the front's. */
struct front_client {
    const char *peer;    /* "127.0.0.1:41234" */
    struct user *user;   /* by a verified client certificate, or NULL */
    const char *problem; /* why the certificate shown does not count, or NULL */
};
const struct front_client *front_client(const struct front *front, int fd);
