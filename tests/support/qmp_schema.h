/* tests/support/qmp_schema.h - what a QEMU would accept, by its recorded query-qmp-schema. */
#pragma once
#include "base/json.h"

struct qmp_schema;

/* Reads tests/data/NAME (gzip). Ends the test when it cannot. */
struct qmp_schema *qmp_schema_load(const char *name);
/* That of VIRGA_QMP_SCHEMA ("10.0"), else of 7.2: meson runs what uses it with each. */
struct qmp_schema *qmp_schema_load_chosen(void);
void qmp_schema_free(struct qmp_schema *schema);
DEFINE_AUTO(struct qmp_schema, qmp_schema_free)

/* ERR_UNSUPPORTED: no such command; ERR_INVALID: 'arguments' (may be NULL) are not what
 * it takes; the text names the member. */
int qmp_schema_check(const struct qmp_schema *schema, const char *command, const json_t *arguments,
                     struct err *err);
bool qmp_schema_has_event(const struct qmp_schema *schema, const char *event);
/* The recorded answer of query-qmp-schema; borrowed. */
const json_t *qmp_schema_entries(const struct qmp_schema *schema);
