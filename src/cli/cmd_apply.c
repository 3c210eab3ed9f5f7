/* cli/cmd_apply.c - apply, create, delete: the objects of manifests, in order. */
#include "cli/common.h"
#include "cli/manifest.h"
#include <stdio.h>
#include <string.h>

/* What to do with one object, which is checked and of 'kind'. */
typedef int object_fn(struct session *session, const struct kind *kind, const char *namespace_name,
                      const json_t *object, struct err *err);

static int apply_object(struct session *session, const struct kind *kind,
                        const char *namespace_name, const json_t *object, struct err *err)
{
    const char *name = json_text_at(object, "metadata.name", "");
    struct client *client = session_client(session, err);
    auto_free char *path = client_path(kind, namespace_name, name, NULL);

    client_path_option(&path, "fieldManager", "virga");
    client_path_option(&path, "force", "true");
    client_path_option(&path, "fieldValidation", "Strict");
    if (!client || client_send(client,
                               &(struct client_request){ .method = "PATCH",
                                                         .path = path,
                                                         .content_type = "application/apply-patch+yaml",
                                                         .body = object },
                               NULL, err) < 0)
        return -1;
    print_done(kind, name, client_last_status(client) == 201 ? "created" : "configured");
    return 0;
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

/* --- reading manifests --- */

static int do_object(struct session *session, object_fn *fn, const json_t *object, struct err *err);

static int do_list(struct session *session, object_fn *fn, const json_t *items, struct err *err)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (do_object(session, fn, json_array_get(items, i), err) < 0)
            return err_wrap(err, "items[%zu]", i);
    return 0;
}

static int do_object(struct session *session, object_fn *fn, const json_t *object, struct err *err)
{
    const char *version = json_text_at(object, "apiVersion", NULL);
    const char *kind_name = json_text_at(object, "kind", NULL);
    const char *name = json_text_at(object, "metadata.name", NULL);
    const struct kind *kind;

    if (!version || !kind_name)
        return err_set(err, ERR_BAD_REQUEST, "apiVersion and kind are required");
    if (str_equal(kind_name, "List") && json_is_array(json_object_get(object, "items")))
        return do_list(session, fn, json_object_get(object, "items"), err);
    kind = kind_find_object(version, kind_name);
    if (!kind) {
        session_hint(session, "\"virga explain\" lists the kinds");
        return err_set(err, ERR_BAD_REQUEST, "there is no kind %s of %s", kind_name, version);
    }
    if (str_is_empty(name) && fn != make_object)
        return err_set(err, ERR_BAD_REQUEST, "%s: metadata.name is required", kind_name);
    if (fn(session, kind, json_text_at(object, "metadata.namespace", session->namespace_name),
           object, err) < 0)
        return err_wrap(err, "%s %s", kind->singular, name ? name : "");
    return 0;
}

static int do_documents(struct session *session, object_fn *fn, const json_t *documents,
                        struct err *err)
{
    bool is_alone = json_array_size(documents) == 1;

    for (size_t i = 0; i < json_array_size(documents); i++) {
        const json_t *document = json_array_get(documents, i);

        if (json_is_null(document))
            continue;
        if (do_object(session, fn, document, err) < 0)
            return is_alone ? -1 : err_wrap(err, "document %zu", i + 1);
    }
    return 0;
}

static int do_file(struct session *session, object_fn *fn, const char *path, struct err *err)
{
    auto_buf struct buf text = { 0 };
    auto_json json_t *documents = NULL;

    if (read_input(path, MANIFEST_MAX, &text, err) < 0)
        return -1;
    documents = yaml_parse(text.size ? text.bytes : "", text.size, err);
    if (!documents || do_documents(session, fn, documents, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

static int do_files(struct session *session, const struct arguments *arguments, object_fn *fn,
                    struct err *err)
{
    bool given = false;

    for (size_t i = 0; i < arguments->option_count; i++) {
        if (!str_equal(arguments->options[i].name, "file"))
            continue;
        given = true;
        if (do_file(session, fn, arguments->options[i].value, err) < 0)
            return -1;
    }
    return given ? 0 : usage_error(session, err, "-f FILE is missing");
}

COMMAND(cmd_apply) { return do_files(session, arguments, apply_object, err); }
COMMAND(cmd_create) { return do_files(session, arguments, make_object, err); }

COMMAND(cmd_delete)
{
    const struct kind *kind;

    if (arguments->operand_count == 0)
        return do_files(session, arguments, drop_object, err);
    if (arguments->operand_count == 1 || argument_given(arguments, "file"))
        return usage_error(session, err, "say either -f FILE, or a kind and names");
    kind = find_kind(session, arguments->operands[0], err);
    return kind ? delete_names(session, kind, arguments->operands + 1, arguments->operand_count - 1,
                               !argument_given(arguments, "no-wait"), err)
                : -1;
}
