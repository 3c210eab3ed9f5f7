/* cli/cmd_get.c - get, and what lists one kind: ls, image ls, events... */
#include "cli/common.h"
#include "cli/manifest.h"
#include "cli/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLLOW_PAUSE_MS = 500, FOLLOW_LOST_MS = 20 * 1000 };
enum { TARGETS_MAX = 256, REAL_DIGITS = 15 /* as the server has them: 3.896, not 3.8959999999999999 */ };

/* One request: all objects of a kind, or one of them. */
struct target {
    const struct kind *kind;
    const char *name; /* or NULL */
};

struct getting {
    struct target targets[TARGETS_MAX];
    size_t count;
    const char *output; /* never NULL */
    bool is_table, wide, all_namespaces;
    const struct arguments *arguments;
};

static char *target_path(const struct session *session, const struct getting *getting,
                         const struct target *target, bool watches)
{
    bool all = getting->all_namespaces && target->kind->flags & KIND_NAMESPACED;
    char *path = client_path(target->kind, all ? NULL : session->namespace_name,
                             watches ? NULL : target->name, NULL);
    const char *labels = argument(getting->arguments, "selector");
    const char *fields = argument(getting->arguments, "field-selector");

    if (labels)
        client_path_option(&path, "labelSelector", labels);
    if (fields)
        client_path_option(&path, "fieldSelector", fields);
    if (!watches)
        return path;
    client_path_option(&path, "watch", "1");
    client_path_option(&path, "allowWatchBookmarks", "1"); /* the version to go on from stays young */
    if (target->name) {
        auto_free char *selector = str_printf("metadata.name=%s", target->name);
        client_path_option(&path, "fieldSelector", selector);
    }
    return path;
}

static void print_names(const struct kind *kind, const json_t *answer)
{
    const json_t *items = json_object_get(answer, "items");

    if (!json_is_array(items)) {
        printf("%s/%s\n", kind->singular, json_text_at(answer, "metadata.name", ""));
        return;
    }
    for (size_t i = 0; i < json_array_size(items); i++)
        printf("%s/%s\n", kind->singular,
               json_text_at(json_array_get(items, i), "metadata.name", ""));
}

/* As kubectl does: they are long, and an object that is applied must not have them. */
static void hide_managed_fields(json_t *value)
{
    size_t i;
    json_t *item;

    json_remove_at(value, "metadata.managedFields");
    json_array_foreach (json_object_get(value, "items"), i, item)
        json_remove_at(item, "metadata.managedFields");
}

static void print_value(const struct getting *getting, json_t *value)
{
    auto_buf struct buf text = { 0 };

    hide_managed_fields(value);
    if (str_equal(getting->output, "yaml")) {
        yaml_write(value, &text);
        fputs(text.bytes, stdout);
        return;
    }
    char *json = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS));
    puts(json ? json : "");
    free(json);
}

/* --- watching --- */

struct row_watch {
    struct table_style style;
    const struct getting *getting;
    json_t *definitions; /* only the first event has them */
};

static void print_changed(const struct row_watch *watch, const json_t *object)
{
    auto_json json_t *shown = json_deep_copy(object);

    if (str_equal(watch->getting->output, "name")) {
        print_names(watch->getting->targets[0].kind, object);
        return;
    }
    if (str_equal(watch->getting->output, "yaml"))
        puts("---");
    print_value(watch->getting, shown);
}

static void print_rows(struct row_watch *watch, const json_t *event)
{
    auto_json json_t *table = json_copy((json_t *)event);
    auto_buf struct buf text = { 0 };

    if (!watch->definitions)
        watch->definitions = json_incref(json_object_get(event, "columnDefinitions"));
    json_object_set(table, "columnDefinitions", watch->definitions);
    table_write(table, &watch->style, &text);
    watch->style.without_header = true;
    fputs(text.size ? text.bytes : "", stdout);
}

static bool print_event(void *arg, const char *type, const json_t *object)
{
    struct row_watch *watch = arg;

    if (str_equal(json_text_at(object, "kind", ""), "Table"))
        print_rows(watch, object);
    else
        print_changed(watch, object);
    return fflush(stdout) == 0;
}

static void say_lost(void *arg)
{
    fputs("the server is gone; it is waited for\n", stderr);
}

static int watch_rows(struct session *session, const struct getting *getting, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = target_path(session, getting, &getting->targets[0], /*watches=*/true);
    struct row_watch watch = { { .wide = getting->wide,
                                 .with_namespace = getting->all_namespaces,
                                 .has_colour = session->out_has_colour },
                               getting,
                               NULL };
    struct client_follow request = { .watch = { .path = path,
                                                .accept = getting->is_table ? CLIENT_TABLE : NULL,
                                                .event = print_event,
                                                .arg = &watch },
                                     .pause_ms = FOLLOW_PAUSE_MS,
                                     .lost_ms = FOLLOW_LOST_MS,
                                     .lost = say_lost };
    int result = client ? client_follow(client, &request, err) : -1;

    json_decref(watch.definitions);
    return result;
}

/* --- tables --- */

/* As kubectl does when several kinds are shown: "instance/web". */
static void name_kind(json_t *table, const struct kind *kind)
{
    json_t *rows = json_object_get(table, "rows");

    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *cells = json_object_get(json_array_get(rows, i), "cells");
        const char *name = json_string_value(json_array_get(cells, 0));
        if (name)
            json_array_set_new(cells, 0, json_printf("%s/%s", kind->singular, name));
    }
}

static bool is_list_of_events(const struct getting *getting)
{
    return getting->count == 1 && str_equal(getting->targets[0].kind->plural, "events") && !getting->targets[0].name;
}

/* The rows of all targets from 'first' on that are of one kind. NULL on error. */
static json_t *fetch_rows(struct session *session, const struct getting *getting, size_t first,
                          size_t *ret_next, struct err *err)
{
    const struct kind *kind = getting->targets[first].kind;
    json_t *all = NULL;

    for (*ret_next = first; *ret_next < getting->count; (*ret_next)++) {
        const struct target *target = &getting->targets[*ret_next];
        auto_free char *path = target_path(session, getting, target, false);
        auto_json json_t *table = target->kind == kind ? fetch_table(session, path, err) : NULL;

        if (target->kind != kind)
            return all;
        if (!table) {
            json_decref(all);
            return NULL;
        }
        if (all)
            json_array_extend(json_object_get(all, "rows"), json_object_get(table, "rows"));
        else
            all = take_pointer(table);
    }
    return all;
}

static bool has_several_kinds(const struct getting *getting)
{
    for (size_t i = 1; i < getting->count; i++)
        if (getting->targets[i].kind != getting->targets[0].kind)
            return true;
    return false;
}

static void say_nothing_found(const struct session *session, const struct getting *getting)
{
    const struct kind *kind = getting->targets[0].kind;
    bool is_selected = argument_given(getting->arguments, "selector") ||
                       argument_given(getting->arguments, "field-selector");

    if (has_several_kinds(getting) || is_selected)
        fputs("nothing found\n", stderr);
    else if (getting->all_namespaces || !(kind->flags & KIND_NAMESPACED))
        fprintf(stderr, "there are no %s\n", kind->plural);
    else
        fprintf(stderr, "there are no %s in namespace %s\n", kind->plural, session->namespace_name);
}

static int order_if_events(struct session *session, const struct getting *getting, json_t *table, struct err *err)
{
    auto_free char *path = target_path(session, getting, &getting->targets[0], false);

    return is_list_of_events(getting) ? order_events(session, path, table, err) : 0;
}

static int print_tables(struct session *session, const struct getting *getting, struct err *err)
{
    struct table_style style = { .wide = getting->wide,
                                 .with_namespace = getting->all_namespaces,
                                 .has_colour = session->out_has_colour };
    bool several = has_several_kinds(getting), any = false;

    for (size_t at = 0, next; at < getting->count; at = next) {
        auto_json json_t *table = fetch_rows(session, getting, at, &next, err);
        auto_buf struct buf text = { 0 };

        if (!table || order_if_events(session, getting, table, err) < 0)
            return -1;
        if (json_array_size(json_object_get(table, "rows")) == 0)
            continue;
        if (several)
            name_kind(table, getting->targets[at].kind);
        table_write(table, &style, &text);
        printf("%s%s", any ? "\n" : "", text.bytes);
        any = true;
    }
    if (!any)
        say_nothing_found(session, getting);
    return 0;
}

/* --- objects --- */

static void add_items(json_t *items, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "items");

    if (json_is_array(list))
        json_array_extend(items, (json_t *)list);
    else
        json_array_append(items, (json_t *)answer);
}

static int print_objects(struct session *session, const struct getting *getting, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_json json_t *list =
        json_pack("{s:s,s:s,s:{},s:[]}", "apiVersion", "v1", "kind", "List", "metadata", "items");

    for (size_t i = 0; i < getting->count; i++) {
        auto_free char *path = target_path(session, getting, &getting->targets[i], false);
        auto_json json_t *answer = NULL;

        if (!client || client_get(client, path, &answer, err) < 0)
            return -1;
        if (str_equal(getting->output, "name"))
            print_names(getting->targets[i].kind, answer);
        else if (getting->count == 1)
            print_value(getting, answer);
        else
            add_items(json_object_get(list, "items"), answer);
    }
    if (getting->count > 1 && !str_equal(getting->output, "name"))
        print_value(getting, list);
    return 0;
}

/* --- what was asked for --- */

static bool is_output(const char *text)
{
    return str_equal(text, "table") || str_equal(text, "wide") || str_equal(text, "json") ||
           str_equal(text, "yaml") || str_equal(text, "name");
}

static int read_options(struct session *session, struct getting *getting,
                        const struct arguments *arguments, struct err *err)
{
    const char *output = argument(arguments, "output");

    getting->arguments = arguments;
    getting->output = output ? output : "table";
    getting->wide = str_equal(output, "wide");
    getting->is_table = getting->wide || str_equal(getting->output, "table");
    getting->all_namespaces = argument_given(arguments, "all-namespaces");
    if (!is_output(getting->output))
        return usage_error(session, err, "-o %s: must be table, wide, json, yaml or name", output);
    return 0;
}

static int add_target(struct session *session, struct getting *getting, const struct kind *kind,
                      const char *name, struct err *err)
{
    if (getting->count == TARGETS_MAX)
        return usage_error(session, err, "more than %d things at once", TARGETS_MAX);
    if (name && getting->all_namespaces)
        return usage_error(session, err, "a name and --all-namespaces exclude each other");
    getting->targets[getting->count++] = (struct target){ kind, name };
    return 0;
}

static int get(struct session *session, const struct getting *getting, struct err *err)
{
    int result;

    if (argument_given(getting->arguments, "watch"))
        return getting->count > 1
                   ? usage_error(session, err, "--watch takes one kind, and one name at most")
                   : watch_rows(session, getting, err);
    result = getting->is_table ? print_tables(session, getting, err)
                               : print_objects(session, getting, err);
    if (result < 0 && err->code == ERR_NOT_FOUND && getting->targets[0].name)
        session_hint(session, "\"virga get %s\" lists what there is",
                     getting->targets[0].kind->plural);
    return result;
}

static bool is_in_category(const struct kind *kind, const char *category)
{
    for (size_t i = 0; kind->categories && kind->categories[i]; i++)
        if (str_equal(kind->categories[i], category))
            return true;
    return false;
}

/* Adds the kinds of "instances,images" or of a category ("all"); cuts 'list' up. */
static int add_kinds(struct session *session, struct getting *getting, char *list, struct err *err)
{
    char *word;

    while ((word = strsep(&list, ","))) {
        size_t before = getting->count;
        const struct kind *kind = NULL;

        for (const struct kind *const *each = all_kinds; *each; each++)
            if (is_in_category(*each, word) && add_target(session, getting, *each, NULL, err) < 0)
                return -1;
        if (getting->count == before && (!(kind = find_kind(session, word, err)) ||
                                         add_target(session, getting, kind, NULL, err) < 0))
            return -1;
    }
    return 0;
}

/* "instance/web image/micro": cuts the words up, which the targets then point into. */
static int add_names(struct session *session, struct getting *getting, char **words, int count,
                     struct err *err)
{
    const struct kind *kind;

    for (int i = 0; i < count; i++) {
        char *slash = strchr(words[i], '/');

        if (!slash)
            return usage_error(session, err, "\"%s\": must be KIND/NAME as those before it",
                               words[i]);
        *slash = '\0';
        if (!(kind = find_kind(session, words[i], err)) ||
            add_target(session, getting, kind, slash + 1, err) < 0)
            return -1;
    }
    return 0;
}

static int add_named(struct session *session, struct getting *getting, char **words, int count,
                     struct err *err)
{
    const struct kind *kind = find_kind(session, words[0], err);

    for (int i = 1; kind && i < count; i++)
        if (add_target(session, getting, kind, words[i], err) < 0)
            return -1;
    return kind ? 0 : -1;
}

COMMAND(cmd_get)
{
    struct getting getting = { 0 };
    char **words = arguments->operands;
    int count = arguments->operand_count;
    int result = read_options(session, &getting, arguments, err);

    if (result == 0 && strchr(words[0], '/'))
        result = add_names(session, &getting, words, count, err);
    else if (result == 0 && count > 1)
        result = add_named(session, &getting, words, count, err);
    else if (result == 0)
        result = add_kinds(session, &getting, words[0], err);
    return result == 0 ? get(session, &getting, err) : -1;
}

static int list(struct session *session, const char *kind, const struct arguments *arguments,
                struct err *err)
{
    struct getting getting = { 0 };

    if (read_options(session, &getting, arguments, err) < 0 ||
        add_target(session, &getting, kind_find_name(kind), NULL, err) < 0)
        return -1;
    return get(session, &getting, err);
}

COMMAND(cmd_ls) { return list(session, "instances", arguments, err); }
COMMAND(cmd_image_ls) { return list(session, "images", arguments, err); }
COMMAND(cmd_volume_ls) { return list(session, "volumes", arguments, err); }
COMMAND(cmd_snapshot_ls) { return list(session, "snapshots", arguments, err); }
COMMAND(cmd_network_ls) { return list(session, "networks", arguments, err); }
COMMAND(cmd_host_ls) { return list(session, "hosts", arguments, err); }
COMMAND(cmd_events) { return list(session, "events", arguments, err); }
