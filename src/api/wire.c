/* api/wire.c - protobuf's wire format. */
#include "api/wire.h"
#include <string.h>

enum { VARINT_SIZE_MAX = 10, FIELD_NUMBER_MAX = (1 << 29) - 1 };

static bool read_varint(struct wire_bytes *rest, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < rest->size && i < VARINT_SIZE_MAX; i++) {
        unsigned char byte = (unsigned char)rest->at[i];

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        rest->at += i + 1;
        rest->size -= i + 1;
        *ret_value = value;
        return true;
    }
    return false;
}

static bool read_fixed(struct wire_bytes *rest, size_t size, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (rest->size < size)
        return false;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(unsigned char)rest->at[i] << (8 * i);
    rest->at += size;
    rest->size -= size;
    *ret_value = value;
    return true;
}

static bool read_bytes(struct wire_bytes *rest, struct wire_bytes *ret_bytes)
{
    uint64_t size;

    if (!read_varint(rest, &size) || size > rest->size)
        return false;
    *ret_bytes = (struct wire_bytes){ rest->at, (size_t)size };
    rest->at += size;
    rest->size -= size;
    return true;
}

static bool read_value(struct wire_bytes *rest, struct wire_field *field)
{
    switch (field->type) {
    case WIRE_VARINT:
        return read_varint(rest, &field->number_value);
    case WIRE_FIXED64:
        return read_fixed(rest, 8, &field->number_value);
    case WIRE_FIXED32:
        return read_fixed(rest, 4, &field->number_value);
    case WIRE_BYTES:
        return read_bytes(rest, &field->bytes);
    }
    return false;
}

bool wire_next(struct wire_bytes *rest, struct wire_field *ret_field)
{
    struct wire_bytes at = *rest;
    struct wire_field field = { .bytes = { "", 0 } };
    uint64_t tag;

    if (!read_varint(&at, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return false;
    field.number = (unsigned)(tag >> 3);
    field.type = (enum wire_type)(tag & 7);
    if (!read_value(&at, &field))
        return false;
    *rest = at;
    *ret_field = field;
    return true;
}

static void add_raw_varint(struct buf *to, uint64_t value)
{
    char bytes[VARINT_SIZE_MAX];
    size_t size = 0;

    do {
        bytes[size] = (char)(value & 0x7f);
        value >>= 7;
        if (value)
            bytes[size] = (char)(bytes[size] | 0x80);
        size++;
    } while (value);
    buf_add(to, bytes, size);
}

static void add_tag(struct buf *to, unsigned number, enum wire_type type)
{
    add_raw_varint(to, (uint64_t)number << 3 | type);
}

void wire_add_varint(struct buf *to, unsigned number, uint64_t value)
{
    add_tag(to, number, WIRE_VARINT);
    add_raw_varint(to, value);
}

void wire_add_bytes(struct buf *to, unsigned number, const void *bytes, size_t size)
{
    add_tag(to, number, WIRE_BYTES);
    add_raw_varint(to, size);
    buf_add(to, bytes, size);
}

void wire_add_text(struct buf *to, unsigned number, const char *text)
{
    wire_add_bytes(to, number, text, strlen(text));
}

void wire_add_message(struct buf *to, unsigned number, struct buf *message)
{
    wire_add_bytes(to, number, message->bytes, message->size);
    buf_clear(message);
}
