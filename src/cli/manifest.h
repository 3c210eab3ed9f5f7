/* cli/manifest.h - manifests: YAML (1.2 core schema) to JSON and back. Pure. */
#pragma once
#include "base/err.h"
#include "base/json.h"

enum { YAML_DEPTH_MAX = 64, YAML_DOCUMENTS_MAX = 10000 };

/* Every document of 'text', in order, as a JSON array; an empty document is null. Plain scalars
 * follow the core schema; aliases, anchors, tags other than !!str, duplicate keys, keys that are no
 * scalars, and values JSON cannot hold are refused with ERR_BAD_REQUEST, "document 3: line 12: ...".
 * NULL on error. */
json_t *yaml_parse(const char *text, size_t size, struct err *err);

/* One document in block style, ending in a line break. */
void yaml_write(const json_t *value, struct buf *to);
