/* kinds/kind.h - what resources exist: one field table per kind, no behaviour.
 *
 * A field is declared in exactly one place, its kind's table. Decoding, unknown
 * and duplicate fields, defaults, validation, immutability, OpenAPI v2 and v3,
 * explain, server-side-apply list keys and table columns are all derived from it.
 * Tables are static const and live as long as the program. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>

enum field_type {
    FIELD_TEXT,       /* any string; 'min'/'max' bound its length in bytes (max 0: 4096) */
    FIELD_NAME,       /* RFC 1123 label */
    FIELD_SUBDOMAIN,  /* RFC 1123 subdomain: names of objects */
    FIELD_INT,        /* int64 within min..max when they differ */
    FIELD_SHARE,      /* int64 within min..max when they differ, or of 0% to 100% a text such as "25%" */
    FIELD_BOOL,
    FIELD_NUMBER,     /* real */
    FIELD_ENUM,       /* one of 'values' */
    FIELD_QUANTITY,   /* bytes or counts; min..max in whole units; JSON numbers accepted too */
    FIELD_DURATION,   /* "30s"; min..max in milliseconds */
    FIELD_TIME,       /* RFC 3339 */
    FIELD_IP,         /* IPv4 or IPv6 address */
    FIELD_IPV4,
    FIELD_IPV6,
    FIELD_PREFIX4,    /* "10.0.0.0/24" with zero host bits */
    FIELD_PREFIX6,
    FIELD_MAC,        /* unicast MAC address */
    FIELD_PORT,       /* 1..65535 */
    FIELD_URL,        /* http or https */
    FIELD_PATH,       /* absolute, without ".." steps */
    FIELD_BASE64,     /* Secret data */
    FIELD_OBJECT,     /* 'fields' */
    FIELD_LIST,       /* items described by 'item'; 'key' makes it a list-map */
    FIELD_MAP,        /* text keys, values described by 'item' */
    FIELD_ANY,        /* any JSON; x-kubernetes-preserve-unknown-fields */
    FIELD_TYPE_COUNT
};

enum field_flags {
    FIELD_REQUIRED = 1,   /* must be present and, for text, not empty */
    FIELD_IMMUTABLE = 2,  /* may be set at creation only */
    FIELD_GROWS = 4,      /* a quantity that an update may raise but not lower */
    FIELD_SECRET = 8,     /* never in logs, events or audit */
    FIELD_SET_ONCE = 16,  /* may go from absent to a value once */
    FIELD_LIST_SET = 32,  /* list of distinct scalars: x-kubernetes-list-type set */
    FIELD_LIST_DISTINCT = 128, /* list without an item twice whose order counts: written whole */
    FIELD_TEMPLATE = 64,  /* for objects to come: what is immutable or only grows may change here */
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    unsigned flags;
    const char *doc;             /* one sentence with the unit; shown by explain */
    const struct field *fields;  /* of FIELD_OBJECT */
    const struct field *item;    /* one nameless field: of FIELD_LIST, FIELD_MAP */
    const char *key;             /* list-map key: a required field of the item */
    const char *const *values;   /* of FIELD_ENUM, NULL-terminated */
    const char *fallback;        /* default as JSON text ("\"Running\"", "1", "{}"), or NULL */
    int64_t min, max;            /* see the type; both 0: no bound. Lists and maps: item count */
};

struct column {
    const char *name;
    const char *type;     /* "string" "integer" "number" "boolean"; "date" prints as an age */
    const char *path;     /* "status.phase"; a list prints joined by commas; "spec.disks[*].name" too */
    int priority;         /* 0: always; 1: with -o wide */
    const char *doc;
    const char *reason;   /* path of a text that follows in brackets when there is one; may be NULL */
};

/* What is wrong with an object, in Kubernetes' cause terms. */
struct cause {
    const char *reason;   /* "FieldValueInvalid", static */
    char *field;          /* "spec.disks[0].size", owned */
    char *message;        /* as in field.Error: "Invalid value: \"-1\": must be ...", owned */
};
struct causes {
    struct cause *items;
    size_t count;
};
void causes_done(struct causes *causes);
void causes_done_auto(struct causes *causes);
#define auto_causes __attribute__((cleanup(causes_done_auto)))

/* Adds a cause. 'reason' is static: FieldValueRequired, FieldValueInvalid,
 * FieldValueNotSupported, FieldValueDuplicate, FieldValueForbidden, FieldValueTypeInvalid,
 * FieldValueTooLong, FieldValueTooMany, FieldValueNotFound. 'field' is copied. */
void causes_add(struct causes *causes, const char *reason, const char *field, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
/* "Invalid value: VALUE: TEXT", with 'value' (may be NULL) printed as JSON. */
void causes_invalid(struct causes *causes, const char *field, const json_t *value,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

enum kind_flags {
    KIND_NAMESPACED = 1,
    KIND_HAS_STATUS = 2,     /* status subresource */
    KIND_SSA_ATOMIC = 4,
    KIND_NO_GENERATION = 8,  /* core kinds without metadata.generation (Event, Secret, ConfigMap) */
    KIND_READ_ONLY = 16,     /* computed: get, list, watch only */
    KIND_LABEL_NAME = 32,    /* the name must be an RFC 1123 label: it becomes a host or domain name */
};

/* A subresource that carries a stream or an action instead of the object:
 * console, vnc, exec, log... The daemon binds them (api/connect.h); the table
 * makes them discoverable and documented. */
struct connect {
    const char *name;         /* NULL ends the table */
    const char *verbs;        /* HTTP methods, space-separated: "GET POST" */
    bool websocket;           /* the GET upgrades to a WebSocket */
    const char *doc;
    const struct field *options; /* query parameters, or NULL */
};

struct scale_paths {
    const char *spec_replicas, *status_replicas, *status_selector; /* paths; NULL spec: no scale */
};

struct kind {
    const char *group;        /* "" is core */
    const char *version;
    const char *name;         /* "Instance" */
    const char *plural;
    const char *singular;
    const char *const *short_names; /* NULL-terminated, or NULL */
    const char *const *categories;
    unsigned flags;
    const char *doc;
    const struct field *fields;  /* below the top: spec, status, data...; metadata is implied */
    const struct column *columns;
    const struct connect *connects;
    struct scale_paths scale;
    const char *const *selectable; /* field selectors beside metadata.name and metadata.namespace */
    /* Rules that span fields; pure. 'old' is NULL on creation. May be NULL. */
    void (*check)(const json_t *object, const json_t *old, struct causes *causes);
    /* Moves write-only fields to where they are kept; part of kind_default(). Pure. May be NULL. */
    void (*settle)(json_t *object);
    /* Another version of a kind: its objects are stored as those of 'stored_as', which has the same group
     * and plural and comes before it in all_kinds, and only shown and taken in this one's words. Both
     * functions are pure; their result is the caller's. */
    const struct kind *stored_as; /* NULL: an ordinary kind, without the other two */
    json_t *(*show)(const json_t *stored);
    json_t *(*take)(const json_t *object, const json_t *old); /* 'old' as stored; NULL on creation */
};

extern const struct kind *const all_kinds[]; /* NULL-terminated; core kinds too */

/* NULL when there is none. 'name' of kind_find_name may be kind, plural, singular or short name. */
const struct kind *kind_find(const char *group, const char *version, const char *plural);
const struct kind *kind_find_object(const char *api_version, const char *kind_name);
const struct kind *kind_find_name(const char *name);
/* "virga.dev/v1" or "v1". Static per kind. */
const char *kind_api_version(const struct kind *kind);
/* "instances.virga.dev", core: "secrets". */
void kind_resource_name(const struct kind *kind, char *to, size_t size);
const struct connect *kind_find_connect(const struct kind *kind, const char *name);

/* The fields of metadata, the same for every kind; NULL-name-terminated. */
const struct field *kind_metadata_fields(void);
/* The field called 'name' in a table, or NULL. */
const struct field *field_find(const struct field *fields, const char *name);

/* The field at a path without indexes ("spec.disks.size"), or NULL. */
const struct field *kind_field(const struct kind *kind, const char *path);

/* --- what an object goes through on its way in (kinds/admit.c) --- */

/* Fields that the tables do not know, with their paths; each message is
 * unknown field "spec.bogus". Removes them from 'object' as it goes when 'prune'. */
void kind_unknown_fields(const struct kind *kind, json_t *object, bool prune,
                         struct causes *ret_unknown);
/* Adds defaults for absent fields of spec and of the other top fields; never changes what is there,
 * but for write-only fields, which end up where they are kept. */
void kind_default(const struct kind *kind, json_t *object);
/* Types, formats, bounds, required fields, list-map keys, metadata (name, labels,
 * annotations), immutability against 'old' (NULL on creation), and the kind's own check. */
void kind_validate(const struct kind *kind, const json_t *object, const json_t *old,
                   struct causes *causes);

/* --- reading a stored, defaulted object. Paths are checked against the table:
 * a misspelt path is a programmer error and aborts. Absent optional values give
 * the zero of the type (NULL text). --- */
const char *view_text(const struct kind *kind, const json_t *object, const char *path);
int64_t view_int(const struct kind *kind, const json_t *object, const char *path);
/* A FIELD_SHARE: the number, or its per cent of 'whole', rounded up or down. */
int64_t view_share(const struct kind *kind, const json_t *object, const char *path, int64_t whole, bool rounds_up);
bool view_bool(const struct kind *kind, const json_t *object, const char *path);
int64_t view_bytes(const struct kind *kind, const json_t *object, const char *path);    /* quantity */
int64_t view_duration_ms(const struct kind *kind, const json_t *object, const char *path);
int64_t view_time_ms(const struct kind *kind, const json_t *object, const char *path);  /* 0: absent */
json_t *view_list(const struct kind *kind, const json_t *object, const char *path);     /* borrowed or NULL */
json_t *view_value(const struct kind *kind, const json_t *object, const char *path);    /* borrowed or NULL */

/* --- derived documents --- */
/* With x-kubernetes-* extensions; metadata is a $ref to ObjectMeta. Owned. */
json_t *kind_openapi_v3_schema(const struct kind *kind);
json_t *kind_openapi_v2_definition(const struct kind *kind);
/* The same for a bare field table (ObjectMeta). */
json_t *fields_openapi(const struct field *fields, bool v3);
/* Cells of one table row, in column order, age against 'now_wall_ms'. Owned. */
json_t *kind_row(const struct kind *kind, const json_t *object, int64_t now_wall_ms);

/* --- status helpers shared by all controllers --- */

/* Sets status.conditions[type]; lastTransitionTime moves only when status changes.
 * 'status' is "True", "False" or "Unknown". Returns whether anything changed. */
bool condition_set(json_t *object, const char *type, const char *status, const char *reason,
                   const char *message, int64_t now_wall_ms);
const json_t *condition_get(const json_t *object, const char *type); /* borrowed or NULL */
bool condition_is_true(const json_t *object, const char *type);
