/* cli/session.c - what the commands of one run share: the connection, and what went wrong. */
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>

void session_set_up(struct session *session, const struct arguments *arguments)
{
    const char *namespace_name = argument(arguments, "namespace");
    const char *socket = argument(arguments, "socket"), *server = argument(arguments, "server");

    if (!namespace_name)
        namespace_name = getenv("VIRGA_NAMESPACE");
    session->namespace_name = namespace_name ? namespace_name : "default";
    session->settings = (struct client_settings){
        .socket = socket ? socket : getenv("VIRGA_SOCKET"),
        .server = server ? server : socket ? NULL : getenv("VIRGA_SERVER"),
        .ca = getenv("VIRGA_CA"),
        .cert = getenv("VIRGA_CERT"),
        .key = getenv("VIRGA_KEY"),
        .token = getenv("VIRGA_TOKEN"),
    };
}

struct client *session_client(struct session *session, struct err *err)
{
    if (!session->client && client_open(&session->settings, &session->client, err) < 0)
        return NULL;
    return session->client;
}

int usage_error(struct session *session, struct err *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    session->is_usage = true;
    return err_set(err, ERR_BAD_REQUEST, "%s", text);
}

void session_hint(struct session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(session->hint, sizeof session->hint, format, args);
    va_end(args);
}

/* --- what went wrong --- */

static void print_causes(const struct session *session)
{
    const json_t *causes = session->client ? client_last_causes(session->client) : NULL;

    if (json_array_size(causes) < 2)
        return;
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const json_t *cause = json_array_get(causes, i);

        fprintf(stderr, "  %s: %s\n", json_text_at(cause, "field", ""),
                json_text_at(cause, "message", ""));
    }
}

static const char *usual_hint(const struct session *session, enum err_code code)
{
    if (session->client && client_last_status(session->client))
        return NULL;
    if (code == ERR_UNAVAILABLE)
        return "is the daemon running? \"systemctl start virgad\" starts it; $VIRGA_SOCKET and "
               "$VIRGA_SERVER say where it is";
    if (code == ERR_FORBIDDEN && session->client)
        return "run this as root or as a member of the group virga";
    return NULL;
}

void session_report(struct session *session, const struct err *err)
{
    const char *hint = session->hint[0] ? session->hint : usual_hint(session, err->code);

    fprintf(stderr, "%svirga:%s %s\n", session->err_has_colour ? "\033[31m" : "",
            session->err_has_colour ? "\033[0m" : "", err->text);
    print_causes(session);
    if (hint)
        fprintf(stderr, "  %s\n", hint);
    session->hint[0] = '\0';
}
