/* drivers/compute/qemu/schema.h - questions to the answer of query-qmp-schema. Pure. */
#pragma once
#include "base/json.h"

/* True when QEMU knows 'path': a command, then steps through its arguments, each the name of
 * a member, "+case" of a variant, or "^value" of an enumeration:
 * "screendump/format", "blockdev-add/+file/aio/^io_uring". */
bool schema_has(const json_t *entries, const char *path);
