/* cli/plan.h - the objects of the manifests that -f names, read and checked before anything is
 * sent. */
#pragma once
#include "cli/command.h"

enum { PLAN_ITEMS_MAX = 10000 };

struct plan_item {
    const struct kind *kind;
    const char *namespace_name; /* the manifest's, or the session's */
    char *name;                 /* owned; "" only when names are not needed */
    const json_t *object;       /* the plan's */
    char *where;                /* "web.yaml: document 3: instance web"; owned */
};

struct plan {
    struct plan_item *items;
    size_t count;
    json_t *files; /* all documents of all files, which the items borrow from */
};
void plan_done_auto(struct plan *plan);

/* Reads every -f of the command line, and puts what stands on others behind them. Errors name the file and the document. */
int plan_read(struct session *session, const struct arguments *arguments, bool needs_names,
              struct plan *plan, struct err *err);
/* Namespaces first, then what others stand on by their kind; those of like kinds stay as they came. */
void plan_order(struct plan *plan);
/* Adds the objects of one manifest; for plan_read() and tests. 'source' is its name. */
int plan_add(struct session *session, const char *source, const char *text, size_t size,
             bool needs_names, struct plan *plan, struct err *err);
