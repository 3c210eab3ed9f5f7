/* base/str.h - strings on the heap and a growing buffer with a bound. */
#pragma once
#include "auto.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

char *str_dup(const char *text);                    /* NULL stays NULL */
char *str_dup_part(const char *text, size_t length);
char *str_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *str_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
bool str_equal(const char *a, const char *b);       /* two NULLs are equal */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
bool str_is_empty(const char *text);                /* NULL or "" */
int str_hex_digit(char c);                          /* 0 to 15; -1: it is none */

/* Bytes of the UTF-8 character (RFC 3629) that the 'size' bytes at 'at' begin with, 1 to 4;
 * 0 when they begin with none. */
size_t str_utf8_size(const char *at, size_t size);

/* A NUL-terminated byte buffer that grows. Zeroed is ready for use with no
 * bound; 'size_max' bounds it: what fits is kept, the rest is dropped and sets
 * 'overflowed', so a writer checks once at the end. */
struct buf {
    char *bytes;      /* NUL-terminated when size > 0; NULL before the first byte */
    size_t size;      /* bytes in use, without the NUL */
    size_t capacity;
    size_t size_max;  /* 0: no bound */
    bool overflowed;
};

void buf_add(struct buf *buf, const void *bytes, size_t size);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *buf, size_t size);  /* forgets the first 'size' bytes */
void buf_reserve(struct buf *buf, size_t size);     /* room for 'size' more bytes */
void buf_clear(struct buf *buf);                    /* empty, memory kept */
void buf_done(struct buf *buf);                     /* frees; the buffer can be used again */
char *buf_take(struct buf *buf);                    /* the text, the caller's; "" when empty */
void buf_done_auto(struct buf *buf);
#define auto_buf __attribute__((cleanup(buf_done_auto)))
