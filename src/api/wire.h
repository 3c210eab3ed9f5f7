/* api/wire.h - protobuf's wire format: fields in, fields out. Pure. */
#pragma once
#include "base/str.h"
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_bytes {
    const char *at;
    size_t size;
};
struct wire_field {
    unsigned number;
    enum wire_type type;
    uint64_t number_value;   /* of the three numeric types */
    struct wire_bytes bytes; /* of WIRE_BYTES; else empty */
};

/* Reads the next field off the front of '*rest'. False at the end, and with bytes left over in
 * '*rest' when they are malformed. */
bool wire_next(struct wire_bytes *rest, struct wire_field *ret_field);

void wire_add_varint(struct buf *to, unsigned number, uint64_t value);
void wire_add_bytes(struct buf *to, unsigned number, const void *bytes, size_t size);
void wire_add_text(struct buf *to, unsigned number, const char *text);
/* The message in 'message' as field 'number'; 'message' is emptied. */
void wire_add_message(struct buf *to, unsigned number, struct buf *message);
