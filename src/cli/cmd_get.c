/* cli/cmd_get.c - get, and what lists one kind: ls, image ls, events... */
#include "cli/common.h"
#include "cli/table.h"
#include "cli/manifest.h"
#include <stdio.h>
#include <stdlib.h>

struct getting {
    const struct kind *kind;
    const char *name;   /* or NULL: a list */
    const char *output; /* never NULL */
    bool wide, all_namespaces, watch;
};

static char *getting_path(const struct session *session, const struct getting *getting,
                          const struct arguments *arguments)
{
    char *path = client_path(getting->kind,
                             getting->all_namespaces ? NULL : session->namespace_name,
                             getting->watch ? NULL : getting->name, NULL);
    const char *labels = argument(arguments, "selector");
    const char *fields = argument(arguments, "field-selector");

    if (labels)
        client_path_option(&path, "labelSelector", labels);
    if (fields)
        client_path_option(&path, "fieldSelector", fields);
    if (getting->watch && getting->name) {
        auto_free char *selector = str_printf("metadata.name=%s", getting->name);
        client_path_option(&path, "fieldSelector", selector);
    }
    if (getting->watch)
        client_path_option(&path, "watch", "1");
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

static void print_object(const struct getting *getting, const json_t *answer)
{
    auto_buf struct buf text = { 0 };

    if (str_equal(getting->output, "name")) {
        print_names(getting->kind, answer);
        return;
    }
    if (str_equal(getting->output, "yaml")) {
        yaml_write(answer, &text);
        fputs(text.bytes, stdout);
        return;
    }
    char *json = json_dumps(answer, JSON_INDENT(2));
    puts(json ? json : "");
    free(json);
}

/* --- watching --- */

struct row_watch {
    struct table_style style;
    const struct getting *getting;
    json_t *definitions; /* only the first event has them */
};

static bool print_event(void *arg, const char *type, const json_t *object)
{
    struct row_watch *watch = arg;
    auto_buf struct buf text = { 0 };

    if (!str_equal(json_text_at(object, "kind", ""), "Table")) {
        if (str_equal(watch->getting->output, "yaml"))
            puts("---");
        print_object(watch->getting, object);
        fflush(stdout);
        return true;
    }
    if (!watch->definitions)
        watch->definitions = json_incref(json_object_get(object, "columnDefinitions"));

    auto_json json_t *table = json_copy((json_t *)object);
    json_object_set(table, "columnDefinitions", watch->definitions);
    table_write(table, &watch->style, &text);
    watch->style.without_header = true;
    fputs(text.size ? text.bytes : "", stdout);
    fflush(stdout);
    return true;
}

static int watch_rows(struct session *session, const struct getting *getting, const char *path,
                      const char *accept, struct err *err)
{
    struct client *client = session_client(session, err);
    struct row_watch watch = { { getting->wide, getting->all_namespaces, false }, getting, NULL };
    bool ended;
    int result = client ? client_watch(client, path, accept, 0, print_event, &watch, &ended, err)
                        : -1;

    json_decref(watch.definitions);
    return result;
}

/* --- getting --- */

static int get(struct session *session, const struct getting *getting,
               const struct arguments *arguments, struct err *err)
{
    auto_free char *path = getting_path(session, getting, arguments);
    bool is_table = str_equal(getting->output, "table") || getting->wide;
    auto_json json_t *answer = NULL;
    struct client *client;

    if (getting->watch)
        return watch_rows(session, getting, path, is_table ? CLIENT_TABLE : NULL, err);
    if (is_table)
        return print_table(session, path, getting->wide, getting->all_namespaces, err);
    if (!(client = session_client(session, err)) || client_get(client, path, &answer, err) < 0)
        return -1;
    print_object(getting, answer);
    return 0;
}

static bool is_output(const char *text)
{
    return str_equal(text, "table") || str_equal(text, "wide") || str_equal(text, "json") ||
           str_equal(text, "yaml") || str_equal(text, "name");
}

static int get_kind(struct session *session, const struct kind *kind, const char *name,
                    const struct arguments *arguments, struct err *err)
{
    const char *output = argument(arguments, "output");
    struct getting getting = {
        .kind = kind,
        .name = name,
        .output = output ? output : "table",
        .wide = str_equal(output, "wide"),
        .all_namespaces = argument_given(arguments, "all-namespaces") && kind->flags & KIND_NAMESPACED,
        .watch = argument_given(arguments, "watch"),
    };

    if (!is_output(getting.output))
        return usage_error(session, err, "-o %s: must be table, wide, json, yaml or name", output);
    if (name && getting.all_namespaces)
        return usage_error(session, err, "a name and --all-namespaces exclude each other");
    if (get(session, &getting, arguments, err) == 0)
        return 0;
    if (err->code == ERR_NOT_FOUND && name)
        session_hint(session, "\"virga get %s\" lists what there is", kind->plural);
    return -1;
}

int cmd_get(struct session *session, const struct arguments *arguments, struct err *err)
{
    auto_free char *first = str_dup(arguments->operands[0]);
    const char *name = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    const struct kind *kind;
    char *slash = first;

    while (*slash && *slash != '/')
        slash++;
    if (*slash && !name) { /* instance/web */
        *slash = '\0';
        name = slash + 1;
    }
    kind = find_kind(session, first, err);
    return kind ? get_kind(session, kind, name, arguments, err) : -1;
}

static int list(struct session *session, const char *kind, const struct arguments *arguments,
                struct err *err)
{
    return get_kind(session, kind_find_name(kind), NULL, arguments, err);
}

COMMAND(cmd_ls) { return list(session, "instances", arguments, err); }
COMMAND(cmd_image_ls) { return list(session, "images", arguments, err); }
COMMAND(cmd_volume_ls) { return list(session, "volumes", arguments, err); }
COMMAND(cmd_network_ls) { return list(session, "networks", arguments, err); }
COMMAND(cmd_events) { return list(session, "events", arguments, err); }
