/* cli/cmd_host.c - host shutdown; audit log and audit verify, which are the host's too. */
#include "cli/common.h"
#include "cli/progress.h"
#include <stdio.h>
#include <unistd.h>

/* Of the operand, or of the only host. Owned; NULL on error. */
static char *host_name(struct session *session, const struct arguments *arguments, struct err *err)
{
    auto_free char *path = client_path(kind_find_name("hosts"), NULL, NULL, NULL);
    struct client *client = session_client(session, err);
    auto_json json_t *hosts = NULL;
    const json_t *items;

    if (arguments->operand_count)
        return str_dup(arguments->operands[0]);
    if (!client || client_get(client, path, &hosts, err) < 0)
        return NULL;
    items = json_object_get(hosts, "items");
    if (json_array_size(items) == 1)
        return str_dup(json_text_at(json_array_get(items, 0), "metadata.name", ""));
    session_hint(session, "\"virga get hosts\" lists them");
    (void)usage_error(session, err, "say which host: there are %zu", json_array_size(items));
    return NULL;
}

static char *host_path(struct session *session, const struct arguments *arguments, const char *sub,
                       struct err *err)
{
    auto_free char *name = host_name(session, arguments, err);

    return name ? client_path(kind_find_name("hosts"), NULL, name, sub) : NULL;
}

COMMAND(cmd_host_shutdown)
{
    auto_free char *path = host_path(session, arguments, "shutdown", err);
    struct client *client = path ? session_client(session, err) : NULL;
    auto_json json_t *answer = NULL;
    int result;

    if (!client)
        return -1;
    progress_show(session, "stopping all instances of the host");
    result = client_send(client, &(struct client_request){ .method = "POST", .path = path }, &answer, err);
    progress_clear(session);
    if (result == 0)
        printf("%s; they start again with the next start of virgad\n",
               json_text_at(answer, "message", "done"));
    return result;
}

COMMAND(cmd_audit_log)
{
    auto_free char *path = host_path(session, arguments, "audit", err);

    if (!path)
        return -1;
    if (argument_given(arguments, "follow"))
        client_path_option(&path, "follow", "true");
    return stream_to(session, path, "*/*", STDOUT_FILENO, err);
}

COMMAND(cmd_audit_verify)
{
    auto_free char *path = host_path(session, arguments, "audit", err);
    struct client *client = path ? session_client(session, err) : NULL;
    auto_json json_t *answer = NULL;

    if (!client)
        return -1;
    client_path_option(&path, "verify", "true");
    if (client_get(client, path, &answer, err) < 0) {
        if (err->code == ERR_CONFLICT || err->code == ERR_BAD_REQUEST)
            session_hint(session, "somebody has changed the log, or the disk has; compare it with a backup");
        return -1;
    }
    printf("the audit log is whole: %lld lines, the last with hash %s\n",
           (long long)json_int_at(answer, "lines", 0), json_text_at(answer, "hash", "?"));
    return 0;
}
