/* cli/common.c - objects by name: read, write, print. */
#include "cli/common.h"
#include "cli/event_order.h"
#include "cli/nearest.h"
#include "cli/standing.h"
#include "cli/table.h"
#include "base/files.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void hint_kinds(struct session *session)
{
    auto_buf struct buf names = { 0 };

    for (const struct kind *const *each = all_kinds; *each; each++)
        if (str_equal((*each)->group, "virga.dev"))
            buf_printf(&names, "%s, ", (*each)->plural);
    session_hint(session, "there are %sevents, secrets, namespaces", names.size ? names.bytes : "");
}

const struct kind *find_kind(struct session *session, const char *name, struct err *err)
{
    const struct kind *kind = kind_find_name(name);
    const char *near;

    if (kind)
        return kind;
    (void)usage_error(session, err, "there is no kind \"%s\"", name);
    near = nearest_kind(name);
    if (near)
        session_hint(session, "did you mean \"%s\"? \"virga explain\" lists the kinds", near);
    else
        hint_kinds(session);
    return NULL;
}

const struct kind *find_named(struct session *session, const struct arguments *arguments, const char *alone,
                              const char **ret_name, struct err *err)
{
    char *word = arguments->operands[0], *slash = strchr(word, '/');
    bool is_pair = arguments->operand_count == 2;

    *ret_name = is_pair ? arguments->operands[1] : slash ? slash + 1 : word;
    if ((slash && is_pair) || (!slash && !is_pair && !alone) || !**ret_name) {
        (void)usage_error(session, err, "\"%s\": say KIND/NAME, or KIND NAME", word);
        return NULL;
    }
    if (slash)
        *slash = '\0';
    return find_kind(session, slash || is_pair ? word : alone, err);
}

static int read_stdin(size_t size_max, struct buf *ret_text, struct err *err)
{
    char part[64 * 1024];
    ssize_t count;

    buf_clear(ret_text);
    ret_text->size_max = size_max;
    while ((count = read(STDIN_FILENO, part, sizeof part)) != 0) {
        if (count < 0 && errno != EINTR)
            return err_errno(err, "standard input");
        if (count > 0)
            buf_add(ret_text, part, (size_t)count);
        if (ret_text->overflowed)
            return err_set(err, ERR_TOO_LARGE, "standard input: larger than %zu bytes", size_max);
    }
    return 0;
}

int read_input(const char *path, size_t size_max, struct buf *ret_text, struct err *err)
{
    return str_equal(path, "-") ? read_stdin(size_max, ret_text, err)
                                : file_read(path, size_max, ret_text, err);
}

char *object_path(const struct session *session, const struct kind *kind, const char *name,
                  const char *sub)
{
    return client_path(kind, session->namespace_name, name, sub);
}

json_t *object_wishes(const json_t *object)
{
    json_t *wishes = json_deep_copy(object);

    json_remove_at(wishes, "status");
    json_remove_at(wishes, "metadata.resourceVersion");
    json_remove_at(wishes, "metadata.managedFields");
    return wishes;
}

static int post_object(struct session *session, const struct kind *kind, const json_t *object, bool is_trial,
                       json_t **ret_made, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind, NULL, NULL);
    auto_json json_t *answer = NULL;

    if (!client)
        return -1;
    client_path_option(&path, "fieldValidation", "Strict");
    if (is_trial)
        client_path_option(&path, "dryRun", "All");
    if (client_send(client, &(struct client_request){ .method = "POST", .path = path, .body = object },
                    &answer, err) < 0)
        return -1;
    if (ret_made)
        *ret_made = take_pointer(answer);
    return 0;
}

int create_object(struct session *session, const struct kind *kind, const json_t *object,
                  json_t **ret_made, struct err *err)
{
    return post_object(session, kind, object, /*is_trial=*/false, ret_made, err);
}

int try_object(struct session *session, const struct kind *kind, const json_t *object, struct err *err)
{
    return post_object(session, kind, object, /*is_trial=*/true, NULL, err);
}

int merge_patch(struct session *session, const struct kind *kind, const char *name,
                const json_t *patch, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind, name, NULL);

    return client ? client_send(client,
                                &(struct client_request){
                                    .method = "PATCH",
                                    .path = path,
                                    .content_type = "application/merge-patch+json",
                                    .body = patch },
                                NULL, err)
                  : -1;
}

int delete_object(struct session *session, const struct kind *kind, const char *name,
                  char **ret_uid, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind, name, NULL);
    auto_json json_t *answer = NULL;

    if (!client || client_send(client, &(struct client_request){ .method = "DELETE", .path = path },
                               &answer, err) < 0)
        return -1;
    *ret_uid = str_equal(json_text_at(answer, "kind", ""), "Status")
                   ? NULL
                   : str_dup(json_text_at(answer, "metadata.uid", NULL));
    return 0;
}

int each_name(struct session *session, char *const *names, int count, name_fn *fn, void *arg,
              struct err *err)
{
    int result = 0;

    for (int i = 0; i < count; i++)
        if (fn(session, names[i], arg, err) < 0) {
            session_report(session, err);
            result = -1;
        }
    if (result < 0)
        err_clear(err);
    return result;
}

struct deleting {
    const struct kind *kind;
    bool waits;
    json_t *uids; /* by name, of what is still going */
};

static int begin_delete(struct session *session, const char *name, void *arg, struct err *err)
{
    struct deleting *deleting = arg;
    auto_free char *uid = NULL;

    if (delete_object(session, deleting->kind, name, &uid, err) < 0)
        return -1;
    if (uid && deleting->waits)
        json_object_set_new(deleting->uids, name, json_string(uid));
    else
        print_done(deleting->kind, name, uid ? "is being deleted" : "deleted");
    return 0;
}

static int end_delete(struct session *session, const char *name, void *arg, struct err *err)
{
    struct deleting *deleting = arg;
    const char *uid = json_string_value(json_object_get(deleting->uids, name));

    if (!uid)
        return 0;
    if (wait_until_gone(session, deleting->kind, name, uid, WAIT_MS_DEFAULT, err) < 0)
        return -1;
    print_done(deleting->kind, name, "deleted");
    return 0;
}

int delete_names(struct session *session, const struct kind *kind, char *const *names, int count,
                 bool waits, struct err *err)
{
    auto_json json_t *uids = json_object();
    struct deleting deleting = { kind, waits, uids };
    int begun = each_name(session, names, count, begin_delete, &deleting, err);
    int ended = each_name(session, names, count, end_delete, &deleting, err);

    return begun < 0 ? begun : ended;
}

json_t *new_object(struct session *session, const struct kind *kind, const char *name, struct err *err)
{
    json_t *object = json_pack("{s:s,s:s,s:{s:s},s:{}}", "apiVersion", kind_api_version(kind), "kind",
                               kind->name, "metadata", "name", name, "spec");

    if (!object)
        (void)usage_error(session, err, "the name is no UTF-8 text");
    return object;
}

int create_and_wait(struct session *session, const struct kind *kind, const json_t *object,
                    const struct arguments *arguments, struct err *err)
{
    const char *name = json_text_at(object, "metadata.name", "");

    if (create_object(session, kind, object, NULL, err) < 0)
        return -1;
    if (!argument_given(arguments, "no-wait") &&
        wait_for_phase(session, kind, name, "Ready", WAIT_MS_DEFAULT, err) < 0)
        return -1;
    print_done(kind, name, "created");
    return 0;
}

json_t *fetch_table(struct session *session, const char *path, struct err *err)
{
    struct client *client = session_client(session, err);
    json_t *table = NULL;

    if (!client || client_send(client,
                               &(struct client_request){ .path = path, .accept = CLIENT_TABLE },
                               &table, err) < 0)
        return NULL;
    return table;
}

int order_events(struct session *session, const char *path, json_t *table, struct err *err)
{
    auto_json json_t *list = NULL;

    if (client_get(session->client, path, &list, err) < 0)
        return -1;
    event_rows_order(table, json_object_get(list, "items"));
    return 0;
}

int print_events(struct session *session, const json_t *object, struct err *err)
{
    struct table_style style = { .has_colour = session->out_has_colour };
    auto_free char *path = client_path(kind_find_name("events"), json_text_at(object, "metadata.namespace", "default"),
                                       NULL, NULL);
    auto_free char *selector = str_printf("involvedObject.uid=%s", json_text_at(object, "metadata.uid", ""));
    auto_json json_t *table = NULL;
    auto_buf struct buf text = { 0 };

    puts("events:");
    fflush(stdout);
    client_path_option(&path, "fieldSelector", selector);
    table = fetch_table(session, path, err);
    if (!table)
        return -1;
    if (json_array_size(json_object_get(table, "rows")) == 0) {
        fputs("none\n", stderr);
        return 0;
    }
    if (order_events(session, path, table, err) < 0)
        return -1;
    table_write(table, &style, &text);
    fputs(text.bytes, stdout);
    return 0;
}

int refuse_standing(struct session *session, const json_t *instance, struct err *err)
{
    auto_free char *help = standing_explain(instance, err);

    if (help)
        session_hint(session, "%s", help);
    return -1;
}

void print_done(const struct kind *kind, const char *name, const char *what)
{
    printf("%s/%s %s\n", kind->singular, name, what);
}

struct pouring {
    int fd;
    bool failed;
    struct err *err;
};

static bool pour(void *arg, const char *bytes, size_t size)
{
    struct pouring *pouring = arg;

    pouring->failed = write_all(pouring->fd, bytes, size, pouring->err) < 0;
    return !pouring->failed;
}

int stream_to(struct session *session, const char *path, const char *accept, int fd,
              struct err *err)
{
    struct client *client = session_client(session, err);
    struct pouring pouring = { .fd = fd, .err = err };
    int result;

    fflush(stdout);
    if (!client)
        return -1;
    result = client_send(client,
                         &(struct client_request){ .path = path,
                                                   .accept = accept,
                                                   .take = pour,
                                                   .take_arg = &pouring },
                         NULL, err);
    return pouring.failed ? -1 : result;
}
