/* kinds/check_value.h - one scalar against its field. */
#pragma once
#include "kinds/kind.h"

/* Adds what is wrong with scalar 'value' of 'field' at 'path'. 'value' is of any JSON type. */
void check_scalar(const struct field *field, const json_t *value, const char *path,
                  struct causes *causes);
/* The same of labels, which are at 'path'. */
void check_labels(const json_t *labels, const char *path, struct causes *causes);
/* "string", "integer", ... as OpenAPI names the JSON type of a field. */
const char *field_type_name(enum field_type type);
