/* cli/cmd_edit.c - edit: an object in the user's editor, again until it is right or left as it was. */
#include "cli/common.h"
#include "cli/manifest.h"
#include "base/files.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct editing {
    const struct kind *kind;
    const char *name;
    char file[64];
    struct buf text;  /* as it was given to the editor last */
    json_t *wishes;   /* of the object when it was read */
};

enum { PUT_TRIES_MAX = 5 };

/* Comment lines on top; 'why' is what was wrong with it the last time, or NULL. */
static void write_head(const struct editing *editing, const char *why, struct buf *to)
{
    buf_printf(to, "# %s %s: save and leave to change it; leave it as it is, or empty it, to change nothing.\n",
               editing->kind->singular, editing->name);
    for (const char *line = why; line && *line;) {
        size_t length = strcspn(line, "\n");
        buf_printf(to, "# %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static int run_editor(const char *file, struct err *err)
{
    const char *editor = getenv("VISUAL");
    pid_t child;
    int status;

    if (str_is_empty(editor))
        editor = getenv("EDITOR");
    if (str_is_empty(editor))
        editor = "vi";
    auto_free char *command = str_printf("%s \"$1\"", editor); /* it may have options */
    child = fork();
    if (child < 0)
        return err_errno(err, "fork");
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, "sh", file, (char *)NULL);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERR_INTERNAL, "the editor \"%s\" failed; nothing was changed", editor);
    return 0;
}

/* Without its comments and blank lines at the top. */
static const char *body_of(const struct buf *text)
{
    const char *at = text->size ? text->bytes : "";

    while (*at == '#' || *at == '\n') {
        const char *end = strchr(at, '\n');
        at = end ? end + 1 : at + strlen(at);
    }
    return at;
}

/* 1: changed; 0: left as it was. */
static int edit_text(struct editing *editing, struct buf *ret_text, struct err *err)
{
    if (file_write_atomic(editing->file, editing->text.bytes, editing->text.size, 0600, err) < 0 ||
        run_editor(editing->file, err) < 0 ||
        file_read(editing->file, MANIFEST_MAX, ret_text, err) < 0)
        return -1;
    return *body_of(ret_text) && !str_equal(body_of(ret_text), body_of(&editing->text));
}

/* In place of the object as it is now: while somebody edits, the status of a machine goes on. It must only
 * be wanted as it was. */
static int put(struct session *session, const struct editing *editing, json_t *edited, struct err *err)
{
    auto_free char *path = object_path(session, editing->kind, editing->name, NULL);
    auto_json json_t *now = NULL, *wishes = NULL;

    if (client_get(session->client, path, &now, err) < 0)
        return -1;
    wishes = object_wishes(now);
    if (!json_equal(wishes, editing->wishes))
        return err_set(err, ERR_CONFLICT, "%s %s was changed by somebody else meanwhile", editing->kind->singular,
                       editing->name);
    json_set_at(edited, "metadata.resourceVersion", json_incref(json_at(now, "metadata.resourceVersion")));
    client_path_option(&path, "fieldValidation", "Strict");
    client_path_option(&path, "fieldManager", "virga-edit");
    return client_send(session->client,
                       &(struct client_request){ .method = "PUT", .path = path, .body = edited }, NULL, err);
}

static int replace(struct session *session, const struct editing *editing, const struct buf *text,
                   struct err *err)
{
    auto_json json_t *documents = yaml_parse(text->bytes, text->size, err);
    json_t *edited = json_array_get(documents, 0);
    int result = -1;

    if (!documents)
        return -1;
    if (json_array_size(documents) != 1 || !json_is_object(edited))
        return err_set(err, ERR_BAD_REQUEST, "there must be one object");
    for (int tries = 0; tries < PUT_TRIES_MAX && result < 0; tries++) {
        result = put(session, editing, edited, err);
        if (result < 0 && (err->code != ERR_CONFLICT || client_last_status(session->client) != 409))
            break;
    }
    return result;
}

static int edit(struct session *session, struct editing *editing, struct err *err)
{
    for (;;) {
        auto_buf struct buf text = { 0 };
        int changed = edit_text(editing, &text, err);

        if (changed < 0)
            return -1;
        if (changed == 0) {
            printf("%s/%s unchanged\n", editing->kind->singular, editing->name);
            return 0;
        }
        if (replace(session, editing, &text, err) == 0) {
            print_done(editing->kind, editing->name, "edited");
            return 0;
        }
        if (!session->out_is_terminal || err->code == ERR_CONFLICT)
            return -1;
        /* Once more, with what was wrong on top. */
        buf_clear(&editing->text);
        write_head(editing, err->text, &editing->text);
        buf_add_text(&editing->text, body_of(&text));
    }
}

static int load(struct session *session, struct editing *editing, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, editing->kind, editing->name, NULL);
    auto_json json_t *object = NULL;

    if (!client || client_get(client, path, &object, err) < 0) {
        session_hint(session, "\"virga get %s\" lists what there is", editing->kind->plural);
        return -1;
    }
    editing->wishes = object_wishes(object);
    json_remove_at(object, "metadata.managedFields");
    json_remove_at(object, "status");
    write_head(editing, NULL, &editing->text);
    yaml_write(object, &editing->text);
    return 0;
}

static void editing_done(struct editing *editing)
{
    buf_done(&editing->text);
    json_decref(editing->wishes);
}

COMMAND(cmd_edit)
{
    struct editing editing = { 0 };
    char folder[] = "/tmp/virga-edit-XXXXXX";
    int result;

    editing.kind = find_named(session, arguments, NULL, &editing.name, err);
    if (!editing.kind || load(session, &editing, err) < 0) {
        editing_done(&editing);
        return -1;
    }
    if (!mkdtemp(folder)) {
        editing_done(&editing);
        return err_errno(err, "%s", folder);
    }
    snprintf(editing.file, sizeof editing.file, "%s/%s.yaml", folder, editing.kind->singular);
    result = edit(session, &editing, err);
    if (result < 0 && access(editing.file, F_OK) == 0)
        session_hint(session, "what you wrote is in %s", editing.file);
    else
        (void)dir_remove(folder, err);
    editing_done(&editing);
    return result;
}
