/* api/write.h - the one way an object is changed: by requests of every verb and by the collector.
 *
 *   read the stored object -> make() the wanted one -> metadata, unknown fields, defaults, status,
 *   generation -> validation, admission -> managedFields -> nothing changed? dry run? ->
 *   compare-and-swap in the store -> done()
 *
 * Writes of one object that come through here go one after the other. When the store answers that
 * somebody else was faster all the same, all of it is done again with what is there then, at most
 * WRITE_ATTEMPTS_MAX times; a revision the client insisted on fails in make. */
#pragma once
#include "api/failure.h"
#include "api/managed.h"
#include "api/resource.h"

struct api;
struct delete_options;
struct request;
struct write;

enum { WRITE_ATTEMPTS_MAX = 16 };

enum write_part { WRITE_OBJECT, WRITE_STATUS };
enum validation { VALIDATE_WARN, VALIDATE_STRICT, VALIDATE_IGNORE };

/* Makes the wanted object from 'old' (NULL: there is none) into '*ret_object' (owned). It may set
 * write->removes: then the object goes at once, and what is made is its last state. */
typedef int write_make_fn(struct write *write, const json_t *old, json_t **ret_object,
                          struct failure *failure);
/* Called once, possibly before write_start() returns. Success: 'failure' is NULL and either
 * 'record' is what is stored now (or was, for a removal), or, for a dry run, 'object' is what
 * would be. All borrowed; the write is gone afterwards. */
typedef void write_done_fn(void *arg, const struct write *write, const struct failure *failure,
                           const struct record *record, const json_t *object);

struct write {
    struct api *api;
    struct resource *resource; /* as stored */
    const struct kind *view;   /* the version that make() works in; NULL: the stored one */
    char *namespace_name; /* owned; NULL for cluster-scoped */
    char *name;           /* owned; NULL: to be generated from the body */
    enum write_part part;
    enum validation validation;
    bool creates;    /* must not exist yet */
    bool may_create; /* whether it exists or not */
    bool is_apply;   /* managedFields are made by make() */
    bool is_system;  /* the collector: neither admission nor field tracking */
    bool dry_run;
    bool force;                     /* of an apply: take fields from other managers */
    struct delete_options *options; /* owned; of a deletion */
    json_t *body;                   /* owned; what make() works with, for it alone */
    char *manager;                  /* owned; field manager */
    struct request *request;        /* gets warnings; may be NULL */
    write_make_fn *make;
    write_done_fn *done;
    void (*drop)(void *arg); /* frees 'arg' when the server stops before done(); NULL: nothing to do */
    void *arg;

    /* during the write */
    bool removes;
    bool created; /* there was no object before */
    unsigned attempts;
    char *key;
    bool generates_name;
    struct write *next, **link; /* of those on their way to the store */
    struct write *first_waiting, *last_waiting; /* for the same object, behind this one */
    struct write *next_waiting;
};

/* A write of 'resource' with everything else zero; the caller fills it and starts it. */
struct write *write_new(struct api *api, struct resource *resource, const char *namespace_name,
                        const char *name);
/* Runs it; consumes the write. */
void write_start(struct write *write);
/* Frees one that was not started. */
void write_cancel(struct write *write);
/* Takes fields that the kind does not have out of 'object': refused, warned about or passed over
 * in silence, as the write says. */
int write_check_fields(struct write *write, json_t *object, struct failure *failure);
/* The server stops: writes on their way to the store end without a word. */
void writes_orphan(struct api *api);

/* 422 for anything else than "All". */
int dry_run_parse(const char *text, bool *ret_dry_run, struct failure *failure);
