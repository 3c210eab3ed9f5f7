/* api/resource.h - a kind at run time: its schema, its bound streams and its computed items. */
#pragma once
#include "api/api.h"

struct binding {
    api_connect_fn *fn; /* NULL: declared but not bound */
    void *arg;
};

struct resource {
    const struct kind *kind;
    struct field *schema;     /* schema_new() */
    char *list_kind;          /* "InstanceList" */
    char *prefix;             /* store keys of all its objects */
    struct binding *bindings; /* as kind->connects */
    api_computed_fn *computed;
    void *computed_arg;
};

/* One per entry of all_kinds. */
struct resources {
    struct resource *items;
    size_t count;
};
void resources_init(struct resources *resources);
void resources_done(struct resources *resources);

/* Never NULL: every kind of the tables has one. */
struct resource *resource_of(const struct resources *resources, const struct kind *kind);
struct binding *resource_binding(struct resource *resource, const struct connect *connect);

bool resource_is_namespaced(const struct resource *resource);
bool resource_is_computed(const struct resource *resource); /* read-only, never stored */
/* Verbs it serves, NULL-terminated, as discovery shows them. */
const char *const *resource_verbs(const struct resource *resource);
/* Where its objects are stored: itself, or that of kind->stored_as. */
struct resource *resource_stored(const struct resources *resources, struct resource *resource);
/* A record in the words of the resource's version; a reference. */
struct record *resource_show(const struct resource *resource, struct record *record);
/* A store key or, with 'name' NULL, a prefix. Owned. */
char *resource_key(const struct resource *resource, const char *namespace_name, const char *name);
