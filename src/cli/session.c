/* cli/session.c - what the commands of one run share: the connection, and what went wrong. */
#include "base/files.h"
#include "cli/advice.h"
#include "cli/common.h"
#include "cli/kubeconfig.h"
#include "cli/manifest.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { KUBECONFIG_MAX = 4 * 1024 * 1024, TOKEN_FILE_MAX = 64 * 1024 };

/* --- where the server is --- */

/* libcurl wants paths; what a kubeconfig holds itself lies in memory, and on no disk. Lives as long
 * as the process. Owned. */
static char *path_of_bytes(const char *bytes, struct err *err)
{
    int fd = memfd_create("virga", MFD_CLOEXEC);

    if (fd < 0 || write_all(fd, bytes, strlen(bytes), err) < 0) {
        (void)err_errno(err, "memfd_create");
        return NULL;
    }
    return str_printf("/proc/self/fd/%d", fd);
}

/* Keeps a text for as long as the session; NULL stays NULL. */
static const char *keep(struct session *session, char *take_text)
{
    size_t i = 0;

    while (session->owned[i])
        i++;
    assert(i + 1 < sizeof session->owned / sizeof session->owned[0]);
    session->owned[i] = take_text;
    return take_text;
}

void session_done(struct session *session)
{
    for (size_t i = 0; session->owned[i]; i++)
        free(session->owned[i]);
    client_free(session->client);
}

/* '*target' becomes the path of 'bytes' or of 'file', when there is one. */
static int set_pem(struct session *session, const char **target, const char *bytes,
                   const char *file, struct err *err)
{
    if (!bytes && !file)
        return 0;
    *target = keep(session, bytes ? path_of_bytes(bytes, err) : str_dup(file));
    return *target ? 0 : -1;
}

static char *read_token(const char *path, struct err *err)
{
    auto_buf struct buf text = { 0 };

    if (read_input(path, TOKEN_FILE_MAX, &text, err) < 0)
        return NULL;
    while (text.size && strchr("\r\n ", text.bytes[text.size - 1]))
        text.bytes[--text.size] = '\0';
    return buf_take(&text);
}

/* The settings that outlive 'config'. */
static int take_over(struct session *session, const struct kubeconfig *config, struct err *err)
{
    struct client_settings *settings = &session->settings;

    settings->socket = NULL;
    settings->server = keep(session, str_dup(config->server));
    settings->ca = settings->cert = settings->key = settings->token = NULL;
    if (config->namespace_name)
        session->namespace_name = keep(session, str_dup(config->namespace_name));
    settings->token = keep(session, config->token_file ? read_token(config->token_file, err)
                                                       : str_dup(config->token));
    if (config->token_file && !settings->token)
        return -1;
    return set_pem(session, &settings->ca, config->ca, config->ca_file, err) < 0 ||
                   set_pem(session, &settings->cert, config->cert, config->cert_file, err) < 0 ||
                   set_pem(session, &settings->key, config->key, config->key_file, err) < 0
               ? -1
               : 0;
}

static int load_kubeconfig(struct session *session, const char *path, const char *context,
                           struct err *err)
{
    const char *slash = strrchr(path, '/');
    auto_free char *folder = slash ? str_dup_part(path, (size_t)(slash - path)) : str_dup(".");
    struct kubeconfig config = { 0 };
    auto_buf struct buf text = { 0 };
    auto_json json_t *documents = NULL;
    int result;

    if (read_input(path, KUBECONFIG_MAX, &text, err) < 0)
        return err_wrap(err, "kubeconfig");
    documents = yaml_parse(text.size ? text.bytes : "", text.size, err);
    if (!documents ||
        kubeconfig_read(json_array_get(documents, 0), folder, context, &config, err) < 0)
        return err_wrap(err, "kubeconfig %s", path);
    result = take_over(session, &config, err);
    kubeconfig_done(&config);
    return result;
}

/* One that is empty is as good as none. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return str_is_empty(value) ? NULL : value;
}

static void use_environment(struct session *session)
{
    session->settings = (struct client_settings){
        .socket = variable("VIRGA_SOCKET"),
        .server = variable("VIRGA_SERVER"),
        .ca = variable("VIRGA_CA"),
        .cert = variable("VIRGA_CERT"),
        .key = variable("VIRGA_KEY"),
        .token = variable("VIRGA_TOKEN"),
    };
}

static int use_options(struct session *session, const struct arguments *arguments, struct err *err)
{
    struct client_settings *settings = &session->settings;
    const struct {
        const char *option, **target;
    } options[] = { { "server", &settings->server },
                    { "ca", &settings->ca },
                    { "cert", &settings->cert },
                    { "key", &settings->key },
                    { "namespace", &session->namespace_name } };
    const char *socket = argument(arguments, "socket"), *token = argument(arguments, "token-file");

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (argument_given(arguments, options[i].option))
            *options[i].target = argument(arguments, options[i].option);
    if (socket) {
        settings->socket = socket;
        settings->server = NULL;
    }
    if (token && !(settings->token = keep(session, read_token(token, err))))
        return err_wrap(err, "--token-file");
    return 0;
}

int session_set_up(struct session *session, const struct arguments *arguments, struct err *err)
{
    const char *file = argument(arguments, "kubeconfig"), *space = variable("VIRGA_NAMESPACE");

    session->namespace_name = "default";
    use_environment(session);
    if (!file && !session->settings.server && !session->settings.socket)
        file = variable("VIRGA_KUBECONFIG");
    if (file && load_kubeconfig(session, file, argument(arguments, "context"), err) < 0)
        return -1;
    session->kubeconfig = file;
    session->context = argument(arguments, "context");
    if (space)
        session->namespace_name = space;
    return use_options(session, arguments, err);
}

/* --- for commands --- */

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

static void print_causes(const json_t *details)
{
    const json_t *causes = json_object_get(details, "causes");

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
    if (code == ERR_UNAVAILABLE && session->client && session->settings.server)
        return "check the server's address, and the CA that its certificate is signed by (--ca)";
    if (code == ERR_UNAVAILABLE)
        return "is the daemon running? \"systemctl start virgad\" starts it; $VIRGA_SOCKET and "
               "$VIRGA_SERVER say where it is";
    if (code == ERR_FORBIDDEN && session->client)
        return "run this as root or as a member of the group virga";
    return NULL;
}

void session_report(struct session *session, const struct err *err)
{
    const json_t *details = session->client ? client_last_details(session->client) : NULL;
    auto_free char *advice = advice_of(details);
    const char *hint = session->hint[0] ? session->hint
                       : advice         ? advice
                                        : usual_hint(session, err->code);

    fprintf(stderr, "%svirga:%s %s\n", session->err_has_colour ? "\033[31m" : "",
            session->err_has_colour ? "\033[0m" : "", err->text);
    print_causes(details);
    if (hint)
        fprintf(stderr, "  %s\n", hint);
    session->hint[0] = '\0';
}
