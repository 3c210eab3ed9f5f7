/* base/random.c - kernel randomness and the seeded generator. */
#include "base/random.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static struct random_seeded *simulated; /* NULL: the kernel's */

void random_simulate(struct random_seeded *random) { simulated = random; }

static void draw_simulated(unsigned char *to, size_t size)
{
    while (size-- > 0)
        *to++ = (unsigned char)random_next(simulated);
}

void random_bytes(void *to, size_t size)
{
    unsigned char *at = to;

    if (simulated) {
        draw_simulated(at, size);
        return;
    }
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);

        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}

void random_uuid(char to[UUID_TEXT_SIZE])
{
    unsigned char byte[16];
    char *at = to;

    random_bytes(byte, sizeof byte);
    byte[6] = (unsigned char)((byte[6] & 0x0f) | 0x40); /* version 4 */
    byte[8] = (unsigned char)((byte[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
    for (size_t i = 0; i < sizeof byte; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = "0123456789abcdef"[byte[i] >> 4];
        *at++ = "0123456789abcdef"[byte[i] & 15];
    }
    *at = '\0';
}

/* No vowels and nothing that looks alike, as in k8s.io/apimachinery util/rand. */
void random_suffix(char *to, size_t length)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    enum { COUNT = sizeof alphabet - 1, UNBIASED = 256 / COUNT * COUNT };

    for (size_t i = 0; i < length;) {
        unsigned char pool[32];

        random_bytes(pool, sizeof pool);
        for (size_t j = 0; j < sizeof pool && i < length; j++)
            if (pool[j] < UNBIASED)
                to[i++] = alphabet[pool[j] % COUNT];
    }
    to[length] = '\0';
}

uint64_t random_next(struct random_seeded *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Draws again below 2^64 mod 'limit', so that every result is equally likely. */
uint64_t random_below(struct random_seeded *random, uint64_t limit)
{
    uint64_t biased;
    uint64_t drawn;

    assert(limit > 0);
    biased = (0 - limit) % limit;
    do
        drawn = random_next(random);
    while (drawn < biased);
    return drawn % limit;
}
