/* cli/plan.c - see plan.h */
#include "cli/plan.h"
#include "base/mem.h"
#include "cli/common.h"
#include "cli/manifest.h"
#include "kinds/tables/tables.h"
#include <stdlib.h>
#include <string.h>

enum { RANKS = 6, RANK_OTHERS = 3 };

struct adding {
    struct session *session;
    struct plan *plan;
    bool needs_names;
    const char *where; /* "web.yaml: document 3" */
};

void plan_done_auto(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->items[i].name);
        free(plan->items[i].where);
    }
    free(plan->items);
    json_decref(plan->files);
}

static int append(struct adding *adding, struct plan_item take_item, struct err *err)
{
    struct plan *plan = adding->plan;

    if (plan->count == PLAN_ITEMS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d objects", PLAN_ITEMS_MAX);
    if ((plan->count & (plan->count + 1)) == 0)
        plan->items = mem_resize(plan->items, (2 * plan->count + 2) * sizeof *plan->items);
    plan->items[plan->count++] = take_item;
    return 0;
}

static int add_object(struct adding *adding, const json_t *object, struct err *err);

static int add_list(struct adding *adding, const json_t *items, struct err *err)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (add_object(adding, json_array_get(items, i), err) < 0)
            return err_wrap(err, "items[%zu]", i);
    return 0;
}

static const struct kind *kind_of(struct session *session, const json_t *object, struct err *err)
{
    const char *version = json_text_at(object, "apiVersion", NULL);
    const char *name = json_text_at(object, "kind", NULL);
    const struct kind *kind = version && name ? kind_find_object(version, name) : NULL;

    if (kind)
        return kind;
    if (!version || !name) {
        (void)err_set(err, ERR_BAD_REQUEST, "apiVersion and kind are required");
        return NULL;
    }
    session_hint(session, "nothing was changed; \"virga explain\" lists the kinds");
    (void)err_set(err, ERR_BAD_REQUEST, "there is no kind %s of %s", name, version);
    return NULL;
}

/* What becomes a part of a path has to be a text, and no path itself; '' is as good as none. */
static int check_name(const struct kind *kind, const json_t *object, const char *field, struct err *err)
{
    const json_t *given = json_at(object, field);
    const char *text = json_string_value(given);
    auto_free char *shown = given ? json_text(given) : NULL;

    if (given && !json_is_null(given) && !text)
        return err_set(err, ERR_BAD_REQUEST, "%s: %s: Invalid value: %s: must be a text, in quotes", kind->name, field,
                       shown);
    if (text && (strchr(text, '/') || str_equal(text, ".") || str_equal(text, "..")))
        return err_set(err, ERR_BAD_REQUEST, "%s: %s: Invalid value: %s: must not be \".\" or \"..\", nor contain \"/\"",
                       kind->name, field, shown);
    return 0;
}

static int add_object(struct adding *adding, const json_t *object, struct err *err)
{
    const char *name = json_text_at(object, "metadata.name", "");
    const char *namespace_name = json_text_at(object, "metadata.namespace", "");
    const struct kind *kind;

    /* Also an InstanceList, as the server answers with. */
    if (str_ends(json_text_at(object, "kind", ""), "List") && json_is_array(json_object_get(object, "items")))
        return add_list(adding, json_object_get(object, "items"), err);
    if (!(kind = kind_of(adding->session, object, err)))
        return -1;
    if (check_name(kind, object, "metadata.name", err) < 0 || check_name(kind, object, "metadata.namespace", err) < 0)
        return -1;
    if (adding->needs_names && !*name)
        return err_set(err, ERR_BAD_REQUEST, "%s: metadata.name is required", kind->name);
    return append(adding,
                  (struct plan_item){ .kind = kind,
                                      .namespace_name = *namespace_name ? namespace_name
                                                                        : adding->session->namespace_name,
                                      .name = str_dup(name),
                                      .object = object,
                                      .where = str_printf("%s: %s %s", adding->where,
                                                          kind->singular, name) },
                  err);
}

int plan_add(struct session *session, const char *source, const char *text, size_t size,
             bool needs_names, struct plan *plan, struct err *err)
{
    json_t *documents = yaml_parse(text, size, err);

    if (!documents)
        return err_wrap(err, "%s", source);
    if (!plan->files)
        plan->files = json_array();
    json_array_append_new(plan->files, documents);
    size_t before = plan->count;
    for (size_t i = 0; i < json_array_size(documents); i++) {
        const json_t *document = json_array_get(documents, i);
        auto_free char *where = json_array_size(documents) == 1
                                    ? str_dup(source)
                                    : str_printf("%s: document %zu", source, i + 1);
        struct adding adding = { session, plan, needs_names, where };

        if (!json_is_null(document) && add_object(&adding, document, err) < 0)
            return err_wrap(err, "%s", where);
    }
    return plan->count > before ? 0
                                : err_set(err, ERR_BAD_REQUEST, "%s: there is no object in it", source);
}

/* Volumes, snapshots and instances are made from each other: only the manifest knows their order. */
static unsigned rank_of(const struct kind *kind)
{
    static const struct kind *const ranks[][4] = {
        { &kind_namespace },
        { &kind_secret, &kind_config_map, &kind_image, &kind_storage_pool },
        { &kind_network },
        { NULL }, /* all others */
        { &kind_load_balancer },
        { &kind_autoscaler, &kind_hpa, &kind_hpa_v1 },
    };

    for (unsigned rank = 0; rank < RANKS; rank++)
        for (unsigned i = 0; i < 4 && ranks[rank][i]; i++)
            if (ranks[rank][i] == kind)
                return rank;
    return RANK_OTHERS;
}

void plan_order(struct plan *plan)
{
    struct plan_item *ordered = mem_zero((plan->count + 1) * sizeof *ordered);
    size_t count = 0;

    for (unsigned rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; i < plan->count; i++)
            if (rank_of(plan->items[i].kind) == rank)
                ordered[count++] = plan->items[i];
    free(plan->items);
    plan->items = ordered;
}

int plan_read(struct session *session, const struct arguments *arguments, bool needs_names,
              struct plan *plan, struct err *err)
{
    bool given = false;

    for (size_t i = 0; i < arguments->option_count; i++) {
        const char *path = arguments->options[i].value;
        auto_buf struct buf text = { 0 };

        if (!str_equal(arguments->options[i].name, "file"))
            continue;
        given = true;
        if (read_input(path, MANIFEST_MAX, &text, err) < 0 ||
            plan_add(session, str_equal(path, "-") ? "standard input" : path,
                     text.size ? text.bytes : "", text.size, needs_names, plan, err) < 0)
            return -1;
    }
    plan_order(plan);
    return given ? 0 : usage_error(session, err, "-f FILE is missing");
}
