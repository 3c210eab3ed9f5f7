/* cli/cmd_apply.c - apply, create, delete: the objects of manifests, in order. */
#include "cli/common.h"
#include "cli/manifest.h"
#include <stdio.h>
#include <string.h>

/* What to do with one object, which is of 'kind'. */
typedef int object_fn(struct session *session, const struct kind *kind, const char *namespace_name,
                      const json_t *object, struct err *err);

/* What a command does with each object, and how it asks the server beforehand whether it could;
 * 'check' is NULL when there is nothing to ask. */
struct deed {
    object_fn *check, *perform;
    bool names_itself; /* an object may leave its name to the server */
};

static int send_apply(struct session *session, const struct kind *kind, const char *namespace_name,
                      const json_t *object, bool is_dry, struct err *err)
{
    const char *name = json_text_at(object, "metadata.name", "");
    struct client *client = session_client(session, err);
    auto_free char *path = client_path(kind, namespace_name, name, NULL);

    client_path_option(&path, "fieldManager", "virga");
    if (is_dry)
        client_path_option(&path, "dryRun", "All");
    client_path_option(&path, "force", "true");
    client_path_option(&path, "fieldValidation", "Strict");
    return client ? client_send(client,
                                &(struct client_request){
                                    .method = "PATCH",
                                    .path = path,
                                    .content_type = "application/apply-patch+yaml",
                                    .body = object },
                                NULL, err)
                  : -1;
}

static int check_apply(struct session *session, const struct kind *kind, const char *namespace_name,
                       const json_t *object, struct err *err)
{
    return send_apply(session, kind, namespace_name, object, /*is_dry=*/true, err);
}

static int apply_object(struct session *session, const struct kind *kind,
                        const char *namespace_name, const json_t *object, struct err *err)
{
    if (send_apply(session, kind, namespace_name, object, /*is_dry=*/false, err) < 0)
        return -1;
    print_done(kind, json_text_at(object, "metadata.name", ""),
               client_last_status(session->client) == 201 ? "created" : "configured");
    return 0;
}

static int check_make(struct session *session, const struct kind *kind, const char *namespace_name,
                      const json_t *object, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = client_path(kind, namespace_name, NULL, NULL);

    client_path_option(&path, "dryRun", "All");
    client_path_option(&path, "fieldValidation", "Strict");
    return client ? client_send(client,
                                &(struct client_request){
                                    .method = "POST", .path = path, .body = object },
                                NULL, err)
                  : -1;
}

static int make_object(struct session *session, const struct kind *kind,
                       const char *namespace_name, const json_t *object, struct err *err)
{
    struct session there = *session;
    int result;

    there.namespace_name = namespace_name;
    result = create_object(&there, kind, object, NULL, err);
    session->client = there.client;
    if (result == 0)
        print_done(kind, json_text_at(object, "metadata.name", ""), "created");
    return result;
}

static int drop_object(struct session *session, const struct kind *kind, const char *namespace_name,
                       const json_t *object, struct err *err)
{
    const char *name = json_text_at(object, "metadata.name", "");
    struct session there = *session;
    auto_free char *uid = NULL;
    int result;

    there.namespace_name = namespace_name;
    result = delete_object(&there, kind, name, &uid, err);
    session->client = there.client;
    if (result == 0)
        print_done(kind, name, uid ? "is being deleted" : "deleted");
    return result;
}

/* --- manifests --- */

struct manifest {
    const char *path;
    json_t *documents;
};

/* Everything that one command was given, read before anything is done. */
struct manifests {
    struct manifest files[ARGUMENT_OPTIONS_MAX];
    size_t count;
};

static void manifests_done(struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++)
        json_decref(manifests->files[i].documents);
}

/* One turn over all objects: 'fn' may be NULL, to look at their kinds and names only. */
struct turn {
    struct session *session;
    const struct manifests *manifests;
    const struct deed *deed;
    object_fn *fn;
    bool is_check;
};

/* --- what cannot be checked beforehand: objects that refer to others of the same manifests --- */

static bool is_object_called(const json_t *object, const char *message)
{
    auto_free char *quoted = str_printf("\"%s\"", json_text_at(object, "metadata.name", ""));
    const json_t *items = json_object_get(object, "items");

    for (size_t i = 0; i < json_array_size(items); i++)
        if (is_object_called(json_array_get(items, i), message))
            return true;
    return strstr(message, quoted) != NULL;
}

static bool is_to_be_made(const struct manifests *manifests, const char *message)
{
    for (size_t i = 0; i < manifests->count; i++)
        for (size_t j = 0; j < json_array_size(manifests->files[i].documents); j++)
            if (is_object_called(json_array_get(manifests->files[i].documents, j), message))
                return true;
    return false;
}

/* Whether all that is wrong is that something is not there yet which the manifests make. */
static bool is_too_early(const struct turn *turn, const struct err *err)
{
    const json_t *causes = turn->session->client ? client_last_causes(turn->session->client) : NULL;

    if (err->code == ERR_NOT_FOUND)
        return is_to_be_made(turn->manifests, err->text);
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const json_t *cause = json_array_get(causes, i);
        if (!str_equal(json_text_at(cause, "reason", NULL), "FieldValueNotFound") ||
            !is_to_be_made(turn->manifests, json_text_at(cause, "message", "")))
            return false;
    }
    return json_array_size(causes) > 0;
}

/* --- object by object --- */

static int do_object(const struct turn *turn, const json_t *object, struct err *err);

static int do_list(const struct turn *turn, const json_t *items, struct err *err)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (do_object(turn, json_array_get(items, i), err) < 0)
            return err_wrap(err, "items[%zu]", i);
    return 0;
}

static const struct kind *kind_of(struct session *session, const json_t *object, struct err *err)
{
    const char *version = json_text_at(object, "apiVersion", NULL);
    const char *kind_name = json_text_at(object, "kind", NULL);
    const struct kind *kind = version && kind_name ? kind_find_object(version, kind_name) : NULL;

    if (!version || !kind_name)
        (void)err_set(err, ERR_BAD_REQUEST, "apiVersion and kind are required");
    else if (!kind)
        (void)err_set(err, ERR_BAD_REQUEST, "there is no kind %s of %s", kind_name, version);
    if (!kind)
        session_hint(session, "\"virga explain\" lists the kinds");
    return kind;
}

static int do_object(const struct turn *turn, const json_t *object, struct err *err)
{
    const char *name = json_text_at(object, "metadata.name", NULL);
    const json_t *items = json_object_get(object, "items");
    struct session *session = turn->session;
    const struct kind *kind;

    if (str_equal(json_text_at(object, "kind", NULL), "List") && json_is_array(items))
        return do_list(turn, items, err);
    kind = kind_of(session, object, err);
    if (!kind)
        return -1;
    if (str_is_empty(name) && !turn->deed->names_itself)
        return err_set(err, ERR_BAD_REQUEST, "%s: metadata.name is required", kind->name);
    if (!turn->fn ||
        turn->fn(session, kind, json_text_at(object, "metadata.namespace", session->namespace_name),
                 object, err) == 0)
        return 0;
    if (turn->is_check && is_too_early(turn, err))
        return 0;
    if (strstr(err->text, "unknown field"))
        session_hint(session, "\"virga explain %s\" lists the fields", kind->singular);
    return err_wrap(err, "%s %s", kind->singular, name ? name : "");
}

static int do_documents(const struct turn *turn, const json_t *documents, struct err *err)
{
    bool is_alone = json_array_size(documents) == 1;

    for (size_t i = 0; i < json_array_size(documents); i++) {
        const json_t *document = json_array_get(documents, i);

        if (!json_is_null(document) && do_object(turn, document, err) < 0)
            return is_alone ? -1 : err_wrap(err, "document %zu", i + 1);
    }
    return 0;
}

static int do_turn(struct session *session, const struct manifests *manifests,
                   const struct deed *deed, bool is_check, struct err *err)
{
    struct turn turn = { session, manifests, deed, is_check ? deed->check : deed->perform, is_check };

    for (size_t i = 0; i < manifests->count; i++)
        if (do_documents(&turn, manifests->files[i].documents, err) < 0)
            return err_wrap(err, "%s", manifests->files[i].path);
    return 0;
}

static int read_manifest(const char *path, struct manifests *manifests, struct err *err)
{
    auto_buf struct buf text = { 0 };
    json_t *documents;

    if (read_input(path, MANIFEST_MAX, &text, err) < 0)
        return -1;
    documents = yaml_parse(text.size ? text.bytes : "", text.size, err);
    if (!documents)
        return err_wrap(err, "%s", path);
    manifests->files[manifests->count++] = (struct manifest){ path, documents };
    for (size_t i = 0; i < json_array_size(documents); i++)
        if (!json_is_null(json_array_get(documents, i)))
            return 0;
    return err_set(err, ERR_BAD_REQUEST, "%s: there is no object in it", path);
}

static int read_manifests(const struct arguments *arguments, struct manifests *manifests,
                          struct err *err)
{
    for (size_t i = 0; i < arguments->option_count; i++)
        if (str_equal(arguments->options[i].name, "file") &&
            read_manifest(arguments->options[i].value, manifests, err) < 0)
            return -1;
    return 0;
}

/* One object is refused or done as a whole anyway. */
static bool is_one_object(const struct manifests *manifests)
{
    const json_t *documents = manifests->files[0].documents;

    return manifests->count == 1 && json_array_size(documents) == 1 &&
           !json_object_get(json_array_get(documents, 0), "items");
}

/* All is read and asked before anything is done, so that what is wrong changes nothing. */
static int do_files(struct session *session, const struct arguments *arguments,
                    const struct deed *deed, struct err *err)
{
    struct manifests manifests = { .count = 0 };
    int result = read_manifests(arguments, &manifests, err);

    if (result == 0 && manifests.count == 0)
        result = usage_error(session, err, "-f FILE is missing");
    if (result == 0 && !is_one_object(&manifests))
        result = do_turn(session, &manifests, deed, /*is_check=*/true, err);
    if (result == 0)
        result = do_turn(session, &manifests, deed, /*is_check=*/false, err);
    manifests_done(&manifests);
    return result;
}

static const struct deed applying = { check_apply, apply_object, false };
static const struct deed making = { check_make, make_object, true };
static const struct deed dropping = { NULL, drop_object, false };

COMMAND(cmd_apply) { return do_files(session, arguments, &applying, err); }
COMMAND(cmd_create) { return do_files(session, arguments, &making, err); }

COMMAND(cmd_delete)
{
    const struct kind *kind;

    if (arguments->operand_count == 0)
        return do_files(session, arguments, &dropping, err);
    if (arguments->operand_count == 1 || argument_given(arguments, "file"))
        return usage_error(session, err, "say either -f FILE, or a kind and names");
    kind = find_kind(session, arguments->operands[0], err);
    return kind ? delete_names(session, kind, arguments->operands + 1, arguments->operand_count - 1,
                               !argument_given(arguments, "no-wait"), err)
                : -1;
}
