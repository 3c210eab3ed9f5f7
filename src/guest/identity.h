/* guest/identity.h - how a fork is told who it is.
 *
 * Before its parent is frozen, a small program is left waiting in the parent's guest (identity_program.c),
 * so that it waits in every fork too, in memory, without a process to be started or a page to be read. It
 * reads one struct guest_identity from the port GUEST_IDENTITY_PORT, makes the guest that, and answers
 * with one line: "ok", or which step failed and with which error number of Linux.
 *
 * Both sides are x86-64; numbers are little-endian, addresses in network order. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Name of the virtio-serial port. */
#define GUEST_IDENTITY_PORT "dev.virga.identity.0"
/* Changes with the struct: a program that has waited since an earlier version refuses. */
#define GUEST_IDENTITY_MAGIC "virgaid1"
/* In its place when only the time is to be taken: the guest stood still. */
#define GUEST_CLOCK_MAGIC "virgacl1"

enum {
    GUEST_CARDS_MAX = 8,
    GUEST_HOSTNAME_SIZE = 64,
    GUEST_SEED_SIZE = 32,
    GUEST_ANSWER_MAX = 80, /* bytes, with the end of the line */
};

struct guest_card {
    uint8_t old_mac[6], new_mac[6];
    uint32_t address, netmask, broadcast, gateway; /* IPv4; 0: none */
};

struct guest_identity {
    char magic[8];
    int64_t wall_s, wall_ns; /* since 1970, UTC */
    char hostname[GUEST_HOSTNAME_SIZE]; /* ends with a NUL */
    uint8_t seed[GUEST_SEED_SIZE]; /* for the kernel's random numbers */
    uint32_t card_count;
    struct guest_card cards[GUEST_CARDS_MAX];
    uint32_t reserved; /* 0 */
};

/* The program, a static executable for Linux on x86-64 that needs nothing of its guest. Started there as
 * root it returns with status 0 when its child waits; the child removes the program's file. */
extern const unsigned char guest_identity_program[];
extern const size_t guest_identity_program_size;
