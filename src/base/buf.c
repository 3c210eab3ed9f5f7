/* base/buf.c - the growing byte buffer of str.h. */
#include "base/mem.h"
#include "base/str.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

/* How many of 'size' more bytes may still go in. */
static size_t room(struct buf *buf, size_t size)
{
    size_t left;

    if (!buf->size_max)
        return size;
    left = buf->size < buf->size_max ? buf->size_max - buf->size : 0;
    if (size <= left)
        return size;
    buf->overflowed = true;
    return left;
}

/* Doubles, so that adding byte by byte stays linear; one byte more for the NUL. */
void buf_reserve(struct buf *buf, size_t size)
{
    size_t wanted;
    size_t capacity = buf->capacity ? buf->capacity : CAPACITY_MIN;

    if (__builtin_add_overflow(buf->size, size, &wanted) || wanted > SIZE_MAX / 4)
        abort();
    wanted++;
    if (wanted <= buf->capacity)
        return;
    while (capacity < wanted)
        capacity *= 2;
    buf->bytes = mem_resize(buf->bytes, capacity);
    buf->capacity = capacity;
    buf->bytes[buf->size] = '\0';
}

void buf_add(struct buf *buf, const void *bytes, size_t size)
{
    size = room(buf, size);
    if (!size)
        return;
    if (buf->capacity - buf->size <= size) /* no room for the bytes and the NUL */
        buf_reserve(buf, size);
    memcpy(buf->bytes + buf->size, bytes, size);
    buf->size += size;
    buf->bytes[buf->size] = '\0';
}

void buf_add_text(struct buf *buf, const char *text) { buf_add(buf, text, strlen(text)); }

void buf_add_char(struct buf *buf, char c) { buf_add(buf, &c, 1); }

void buf_printf(struct buf *buf, const char *format, ...)
{
    char small[256];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (length < 0)
        abort();
    if ((size_t)length < sizeof small) {
        buf_add(buf, small, (size_t)length);
        return;
    }
    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    buf_add(buf, text, (size_t)length);
}

void buf_drop_front(struct buf *buf, size_t size)
{
    if (size >= buf->size) {
        buf->size = 0;
    } else if (size) {
        buf->size -= size;
        memmove(buf->bytes, buf->bytes + size, buf->size);
    }
    if (buf->bytes)
        buf->bytes[buf->size] = '\0';
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->overflowed = false;
    if (buf->bytes)
        buf->bytes[0] = '\0';
}

void buf_done(struct buf *buf)
{
    free(buf->bytes);
    *buf = (struct buf){ .size_max = buf->size_max };
}

char *buf_take(struct buf *buf)
{
    char *text = buf->bytes ? buf->bytes : str_dup("");

    buf->bytes = NULL;
    buf_done(buf);
    return text;
}

void buf_done_auto(struct buf *buf) { buf_done(buf); }
