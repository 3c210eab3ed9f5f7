/* base/random.h - randomness from the kernel, and a seeded generator for simulations. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void random_bytes(void *to, size_t size);           /* getrandom(2); cannot fail */
enum { UUID_TEXT_SIZE = 37 };
void random_uuid(char to[UUID_TEXT_SIZE]);          /* RFC 9562 version 4, lower case */
/* 'length' characters of Kubernetes' generateName alphabet and a NUL. */
void random_suffix(char *to, size_t length);

struct random_seeded { uint64_t state; };
/* For simulations, whose runs must repeat: from now on the three functions above draw from 'random'
 * (borrowed; NULL: from the kernel again). One thread only. */
void random_simulate(struct random_seeded *random);
uint64_t random_next(struct random_seeded *random); /* splitmix64 */
uint64_t random_below(struct random_seeded *random, uint64_t limit);
