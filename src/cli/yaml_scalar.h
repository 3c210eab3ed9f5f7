/* cli/yaml_scalar.h - plain scalars of YAML's 1.2 core schema. Pure. */
#pragma once
#include "base/json.h"

/* The value of a plain scalar: null, a boolean, a number or a text. NULL with '*ret_why' (static)
 * for what JSON cannot hold: infinities, not-a-number, integers beyond 64 bits. */
json_t *yaml_plain_scalar(const char *text, const char **ret_why);
