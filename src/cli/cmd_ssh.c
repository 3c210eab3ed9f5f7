/* cli/cmd_ssh.c - ssh: OpenSSH through the API, so that no route to the guest is needed.
 *
 *     ssh --ProxyCommand--> virga stdio-forward --WebSocket--> virgad --> port 22
 *
 * Host keys are kept by the instance's uid: a new instance of an old name is another host. */
#include "cli/common.h"
#include "cli/own_files.h"
#include "cli/shell.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 512, KEYS_MAX = 4 };

/* ssh's arguments; those that are made here live until it is started. */
struct command_line {
    char *argv[ARGUMENTS_MAX + 1];
    int count;
};

static void add(struct command_line *line, char *take_text)
{
    if (line->count < ARGUMENTS_MAX)
        line->argv[line->count++] = take_text;
    else
        free(take_text);
}

static void add_option(struct command_line *line, const char *name, char *take_value)
{
    add(line, str_dup("-o"));
    add(line, str_printf("%s=%s", name, take_value));
    free(take_value);
}

static void line_done(struct command_line *line)
{
    for (int i = 0; i < line->count; i++)
        free(line->argv[i]);
}

/* "user@web": the name; '*ret_user' owned, NULL when none is said. */
static const char *split_user(const char *text, char **ret_user)
{
    const char *at = strrchr(text, '@');

    *ret_user = at ? str_dup_part(text, (size_t)(at - text)) : NULL;
    return at ? at + 1 : text;
}

/* Who logs in to instances of the image. Owned. */
static char *default_user(struct session *session, const json_t *instance)
{
    const char *image = json_text_at(instance, "spec.image", NULL);
    auto_json json_t *object = NULL;
    struct err unread;

    if (image) {
        auto_free char *path = object_path(session, kind_find_name("images"), image, NULL);
        (void)client_get(session->client, path, &object, &unread); /* it may be gone */
    }
    return str_dup(json_text_at(object, "status.defaultUser", "root"));
}

/* Where the server is goes through the environment, which keeps a token out of ps. */
static char *proxy_command(const struct session *session, const char *name, const char *wait_time)
{
    char self[4096] = "virga";
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    if (length > 0)
        self[length] = '\0';
    auto_free char *program = shell_quote(self), *instance = shell_quote(name);
    auto_free char *space = shell_quote(session->namespace_name), *wait = shell_quote(wait_time);
    auto_free char *context = shell_quote(session->context ? session->context : "");
    auto_free char *plain = str_printf("%s stdio-forward --namespace %s%s%s --wait %s %s 22", program,
                                       space, session->context ? " --context " : "",
                                       session->context ? context : "", wait, instance);
    return ssh_escape(plain);
}

static void export_settings(const struct session *session)
{
    const struct {
        const char *name, *value;
    } settings[] = {
        { "VIRGA_SOCKET", session->settings.socket }, { "VIRGA_SERVER", session->settings.server },
        { "VIRGA_CA", session->settings.ca },         { "VIRGA_CERT", session->settings.cert },
        { "VIRGA_KEY", session->settings.key },       { "VIRGA_TOKEN", session->settings.token },
    };

    /* What a kubeconfig holds itself lies in memory, which ssh does not pass on. */
    if (session->kubeconfig)
        setenv("VIRGA_KUBECONFIG", session->kubeconfig, 1);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].value && !session->kubeconfig)
            setenv(settings[i].name, settings[i].value, 1);
        else
            unsetenv(settings[i].name);
}

static void add_identities(struct command_line *line, const struct arguments *arguments)
{
    const char *given = argument(arguments, "identity");
    char *keys[KEYS_MAX];
    int count = given ? 0 : own_public_keys(keys, KEYS_MAX, /*makes=*/false);

    if (given)
        add_option(line, "IdentityFile", str_dup(given));
    for (int i = 0; i < count; i++) {
        keys[i][strlen(keys[i]) - strlen(".pub")] = '\0';
        add_option(line, "IdentityFile", keys[i]);
    }
}

static int build(struct session *session, const struct arguments *arguments, const json_t *instance,
                 const char *name, const char *user, struct command_line *line, struct err *err)
{
    const char *wait = argument(arguments, "wait");
    char *known_hosts = own_file("known_hosts", err);

    if (!known_hosts)
        return -1;
    add(line, str_dup("ssh"));
    add_option(line, "ProxyCommand", proxy_command(session, name, wait ? wait : "2m"));
    add_option(line, "HostKeyAlias", str_dup(json_text_at(instance, "metadata.uid", name)));
    add_option(line, "UserKnownHostsFile", known_hosts);
    add_option(line, "GlobalKnownHostsFile", str_dup("/dev/null"));
    add_option(line, "StrictHostKeyChecking", str_dup("accept-new"));
    add_option(line, "CheckHostIP", str_dup("no"));
    add_option(line, "LogLevel", str_dup("ERROR"));
    add_identities(line, arguments);
    add(line, str_dup("-l"));
    add(line, str_dup(user));
    add(line, str_dup("--"));
    add(line, str_dup(name));
    for (int i = 1; i < arguments->operand_count; i++)
        add(line, str_dup(arguments->operands[i]));
    return 0;
}

static int find_instance(struct session *session, const char *name, json_t **ret_instance,
                         struct err *err)
{
    const struct kind *kind = kind_find_name("instances");
    auto_free char *path = object_path(session, kind, name, NULL);
    struct client *client = session_client(session, err);

    if (!client || client_get(client, path, ret_instance, err) < 0) {
        session_hint(session, "\"virga ls\" lists what there is");
        return -1;
    }
    const char *phase = json_text_at(*ret_instance, "status.phase", "Pending");
    if (!str_equal(phase, "Stopped") && !str_equal(phase, "Paused") && !str_equal(phase, "Failed"))
        return 0;
    return refuse_standing(session, *ret_instance, err);
}

COMMAND(cmd_ssh)
{
    auto_free char *user = NULL;
    const char *name = split_user(arguments->operands[0], &user);
    auto_json json_t *instance = NULL;
    struct command_line line = { .count = 0 };

    if (find_instance(session, name, &instance, err) < 0)
        return -1;
    if (!user)
        user = default_user(session, instance);
    if (build(session, arguments, instance, name, user, &line, err) == 0) {
        line.argv[line.count] = NULL;
        export_settings(session);
        execvp("ssh", line.argv);
        if (errno == ENOENT)
            session_hint(session, "install the package openssh-client");
        (void)err_errno(err, "ssh");
    }
    line_done(&line);
    return -1;
}
