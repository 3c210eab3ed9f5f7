/* cli/cmd_apply.c - apply, create, delete: the objects of manifests.
 *
 * Everything is read and tried (dry run) before anything is changed, so that a manifest whose third
 * document is wrong changes nothing. */
#include "cli/common.h"
#include "cli/plan.h"
#include "cli/plan_check.h"
#include <stdio.h>
#include <string.h>

/* The path to send an item to; 'name' NULL: its collection. Owned. */
static char *item_path(const struct plan_item *item, const char *name, bool is_dry_run)
{
    char *path = client_path(item->kind, item->namespace_name, name, NULL);

    client_path_option(&path, "fieldValidation", "Strict");
    client_path_option(&path, "fieldManager", "virga");
    if (is_dry_run)
        client_path_option(&path, "dryRun", "All");
    return path;
}

/* The object as it is, or NULL. Owned. */
static json_t *object_of(struct session *session, const struct plan_item *item)
{
    auto_free char *path = client_path(item->kind, item->namespace_name, item->name, NULL);
    json_t *object = NULL;
    struct err unread;

    return client_get(session->client, path, &object, &unread) == 0 ? object : NULL;
}

/* The version in a manifest that "virga get -o yaml" wrote is of a status that has long gone on; what counts is
 * whether anybody has changed what is wanted. Owned. */
static json_t *without_old_status(struct session *session, const struct plan_item *item)
{
    json_t *wanted = json_deep_copy(item->object);
    auto_json json_t *now = json_at(wanted, "metadata.resourceVersion") ? object_of(session, item) : NULL;

    if (!now || json_int_at(now, "metadata.generation", 0) != json_int_at(wanted, "metadata.generation", 0))
        return wanted;
    json_remove_at(wanted, "metadata.resourceVersion");
    return wanted;
}

static int send_apply(struct session *session, const struct plan_item *item, bool is_dry_run,
                      json_t **ret_answer, struct err *err)
{
    auto_free char *path = item_path(item, item->name, is_dry_run);
    auto_json json_t *wanted = without_old_status(session, item);

    client_path_option(&path, "force", "true");
    return client_send(session->client,
                       &(struct client_request){ .method = "PATCH",
                                                 .path = path,
                                                 .content_type = "application/apply-patch+yaml",
                                                 .body = wanted },
                       ret_answer, err);
}

static int send_create(struct session *session, const struct plan_item *item, bool is_dry_run,
                       json_t **ret_answer, struct err *err)
{
    auto_free char *path = item_path(item, NULL, is_dry_run);

    return client_send(session->client,
                       &(struct client_request){ .method = "POST", .path = path, .body = item->object },
                       ret_answer, err);
}

typedef int send_fn(struct session *session, const struct plan_item *item, bool is_dry_run,
                    json_t **ret_answer, struct err *err);

/* --- trying --- */

/* Whether a text names one of the first 'count' items: 'there is no network "lab"'. */
static bool names_item(const struct plan *plan, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        auto_free char *quoted = str_printf("\"%s\"", plan->items[i].name);
        if (strstr(text, quoted))
            return true;
    }
    return false;
}

static bool all_causes_name_items(const json_t *causes, const struct plan *plan, size_t count)
{
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const json_t *cause = json_array_get(causes, i);
        if (!str_equal(json_text_at(cause, "reason", ""), "FieldValueNotFound") ||
            !names_item(plan, count, json_text_at(cause, "message", "")))
            return false;
    }
    return json_array_size(causes) > 0;
}

/* Whether item 'at' is refused only because those before it are not there yet. */
static bool may_come_right(const struct session *session, const struct plan *plan, size_t at,
                           const struct err *err)
{
    if (err->code == ERR_NOT_FOUND)
        return names_item(plan, at, err->text); /* its namespace */
    return err->code == ERR_INVALID &&
           all_causes_name_items(json_object_get(client_last_details(session->client), "causes"), plan, at);
}

/* What can be said without the server, which looked no further than what is missing. */
static int check_here(const struct plan_item *item, struct err *err)
{
    auto_json json_t *object = json_deep_copy(item->object);
    auto_causes struct causes causes = { 0 };

    kind_unknown_fields(item->kind, object, /*prune=*/false, &causes);
    kind_default(item->kind, object);
    kind_validate(item->kind, object, NULL, &causes);
    if (causes.count == 0)
        return 0;
    return err_set(err, ERR_INVALID, "%s%s%s", causes.items[0].field,
                   *causes.items[0].field ? ": " : "", causes.items[0].message);
}

static int try_all(struct session *session, const struct plan *plan, send_fn *fn, struct err *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_item *item = &plan->items[i];
        int result = fn(session, item, /*is_dry_run=*/true, NULL, err);

        if (result < 0 && may_come_right(session, plan, i, err))
            result = check_here(item, err);
        if (result < 0)
            return err_wrap(err, "%s", item->where);
    }
    return 0;
}

static int try_plan(struct session *session, const struct plan *plan, send_fn *fn, struct err *err)
{
    if (!session_client(session, err))
        return -1;
    if (plan->count == 1) /* trying would be doing */
        return 0;
    if (plan_check(plan, err) == 0 && try_all(session, plan, fn, err) == 0)
        return 0;
    session_hint(session, "nothing was changed");
    return -1;
}

/* --- apply --- */

static bool is_unchanged(const json_t *before, const json_t *after)
{
    auto_json json_t *was = before ? object_wishes(before) : NULL, *is = after ? object_wishes(after) : NULL;

    return was && is && json_equal(was, is);
}

static int apply(struct session *session, const struct plan_item *item, struct err *err)
{
    auto_json json_t *before = object_of(session, item), *after = NULL;

    if (send_apply(session, item, /*is_dry_run=*/false, &after, err) < 0)
        return err_wrap(err, "%s", item->where);
    print_done(item->kind, item->name,
               client_last_status(session->client) == 201 ? "created"
               : is_unchanged(before, after)              ? "unchanged"
                                                          : "configured");
    return 0;
}

static int say_right(const struct plan *plan)
{
    printf("%zu object%s right; nothing was changed\n", plan->count, plan->count == 1 ? " is" : "s are");
    return 0;
}

COMMAND(cmd_apply)
{
    auto_clean(plan_done_auto) struct plan plan = { 0 };
    bool is_dry_run = argument_given(arguments, "dry-run");

    if (plan_read(session, arguments, /*needs_names=*/true, &plan, err) < 0 ||
        try_plan(session, &plan, send_apply, err) < 0)
        return -1;
    if (is_dry_run) /* of several each was tried */
        return plan.count == 1 && send_apply(session, &plan.items[0], true, NULL, err) < 0
                   ? err_wrap(err, "%s", plan.items[0].where)
                   : say_right(&plan);
    for (size_t i = 0; i < plan.count; i++)
        if (apply(session, &plan.items[i], err) < 0)
            return -1;
    return 0;
}

/* --- create --- */

COMMAND(cmd_create)
{
    auto_clean(plan_done_auto) struct plan plan = { 0 };

    if (plan_read(session, arguments, /*needs_names=*/false, &plan, err) < 0 ||
        try_plan(session, &plan, send_create, err) < 0)
        return -1;
    for (size_t i = 0; i < plan.count; i++) {
        auto_json json_t *made = NULL;

        if (send_create(session, &plan.items[i], /*is_dry_run=*/false, &made, err) < 0)
            return err_wrap(err, "%s", plan.items[i].where);
        print_done(plan.items[i].kind, json_text_at(made, "metadata.name", ""), "created");
    }
    return 0;
}

/* --- delete --- */

static int delete_item(struct session *session, const struct plan_item *item, bool waits,
                       struct err *err)
{
    const char *usual = session->namespace_name;
    char *names[] = { item->name };
    int result;

    session->namespace_name = item->namespace_name;
    result = delete_names(session, item->kind, names, 1, waits, err);
    session->namespace_name = usual;
    return result;
}

/* The last one first: what came later may stand on what came before. */
static int delete_plan(struct session *session, const struct arguments *arguments, struct err *err)
{
    auto_clean(plan_done_auto) struct plan plan = { 0 };
    bool waits = !argument_given(arguments, "no-wait");
    int result = 0;

    if (plan_read(session, arguments, /*needs_names=*/true, &plan, err) < 0)
        return -1;
    for (size_t i = plan.count; i-- > 0;)
        if (delete_item(session, &plan.items[i], waits, err) < 0)
            result = -1; /* it was said; the others go nevertheless */
    return result;
}

/* "instance/web image/micro": cuts the words up. */
static int delete_named(struct session *session, char **words, int count, bool waits, struct err *err)
{
    int result = 0;

    for (int i = 0; i < count; i++) {
        char *slash = strchr(words[i], '/');
        const struct kind *kind;

        if (!slash)
            return usage_error(session, err, "\"%s\": must be KIND/NAME as those before it", words[i]);
        *slash = '\0';
        if (!(kind = find_kind(session, words[i], err)))
            return -1;
        if (delete_names(session, kind, &(char *){ slash + 1 }, 1, waits, err) < 0)
            result = -1; /* it was said; the others go nevertheless */
    }
    return result;
}

COMMAND(cmd_delete)
{
    bool waits = !argument_given(arguments, "no-wait");
    const struct kind *kind;

    if (arguments->operand_count == 0)
        return delete_plan(session, arguments, err);
    if (!argument_given(arguments, "file") && strchr(arguments->operands[0], '/'))
        return delete_named(session, arguments->operands, arguments->operand_count, waits, err);
    if (arguments->operand_count == 1 || argument_given(arguments, "file"))
        return usage_error(session, err, "say either -f FILE, or a kind and names");
    kind = find_kind(session, arguments->operands[0], err);
    return kind ? delete_names(session, kind, arguments->operands + 1, arguments->operand_count - 1, waits, err)
                : -1;
}
