/* tests/api/serve.c - the real API server with the real kinds on a store, and nothing else: no
 * controllers, no drivers. What would need them is bound to small stand-ins here.
 *
 *   serve --socket PATH [--listen ADDRESS --tls DIR] [--store DIR] [--kubeconfig FILE]
 *         [--token TOKEN=USER,GROUP,...] [--audit FILE]
 *
 * Prints "ready PORT" when it listens; ends on SIGTERM and SIGINT. */
#include "api/api.h"
#include "kinds/tables/tables.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "store/object.h"
#include <fcntl.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENT_TTL_S = 30 * 24 * 3600, ECHO_SIZE = 64 * 1024 };

struct setup {
    const char *socket, *listen, *tls, *store, *kubeconfig, *token, *audit;
};

struct serve {
    struct setup setup;
    struct loop *loop;
    struct worker_pool *workers;
    struct store *store;
    struct api *api;
    FILE *audit;
};

_Noreturn static void fail(const struct err *err)
{
    fprintf(stderr, "serve: %s\n", err->text);
    exit(1);
}

/* --- hooks --- */

static void audit(void *arg, const json_t *entry)
{
    struct serve *serve = arg;
    auto_free char *text = json_text(entry);

    if (serve->audit) {
        fprintf(serve->audit, "%s\n", text);
        fflush(serve->audit);
    }
}

/* "secret=bob,developers" */
static json_t *user_of_token(void *arg, const char *token)
{
    const struct serve *serve = arg;
    auto_free char *setting = str_dup(serve->setup.token);
    char *rest = setting, *known = strsep(&rest, "="), *name;
    json_t *groups = json_array();
    char *group;

    if (!setting || !str_equal(known, token) || !rest) {
        json_decref(groups);
        return NULL;
    }
    name = strsep(&rest, ",");
    while ((group = strsep(&rest, ",")))
        json_array_append_new(groups, json_string(group));
    return json_pack("{s:s,s:o}", "name", name, "groups", groups);
}

/* An image that an instance names can't be deleted; an instance must not ask for 13 processors. */
static void admit(void *arg, const struct kind *kind, json_t *object, const json_t *old,
                  struct causes *causes)
{
    struct serve *serve = arg;
    auto_free char *prefix = object_key("virga.dev", "instances", NULL, NULL);
    struct record **records;
    size_t count;

    if (kind == &kind_instance && object && json_int_at(object, "spec.cpus", 0) == 13)
        causes_add(causes, "FieldValueForbidden", "spec.cpus", "Forbidden: 13 brings bad luck");
    if (kind != &kind_image || object)
        return;
    records = serve->store->ops->list(serve->store, prefix, NULL, 0, &count, NULL);
    for (size_t i = 0; i < count; i++) {
        auto_json json_t *instance = object_decode(records[i]);

        if (str_equal(json_text_at(instance, "spec.image", ""), object_name(old)))
            causes_add(causes, "InUse", "", "is used by instance %s/%s", object_namespace(instance),
                       object_name(instance));
    }
    record_list_free(records, count);
}

/* --- stand-ins for streams --- */

/* A console that says back what it is told, and ends at "quit". In a thread of its own: it blocks
 * when it is not read. */
static void *echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[ECHO_SIZE];
    ssize_t size;

    while ((size = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        if (size == 4 && memcmp(bytes, "quit", 4) == 0)
            break;
        for (ssize_t at = 0; at < size;) {
            ssize_t sent = send(fd, bytes + at, (size_t)(size - at), MSG_NOSIGNAL);

            if (sent <= 0)
                size = 0;
            else
                at += sent;
        }
    }
    close(fd);
    return NULL;
}

static void console(void *arg, struct api_call *call)
{
    pthread_t thread;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
        send(ends[0], "hello\n", 6, MSG_NOSIGNAL) != 6)
        abort();
    if (str_equal(api_call_option(call, "close"), "1"))
        shutdown(ends[0], SHUT_WR);
    if (pthread_create(&thread, NULL, echo, (void *)(intptr_t)ends[0]) != 0)
        abort();
    pthread_detach(thread);
    api_call_stream(call, ends[1]);
}

static void log_of(void *arg, struct api_call *call)
{
    const json_t *annotations = json_at(api_call_object(call), "metadata.annotations");
    const char *path = json_string_value(json_object_get(annotations, "log"));
    int fd;
    struct err err;

    fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        (void)err_errno(&err, "open log");
        api_call_error(call, &err);
        return;
    }
    api_call_file(call, fd, "text/plain; charset=utf-8", api_call_option(call, "follow") != NULL);
}

static void exec(void *arg, struct api_call *call)
{
    const json_t *command = json_object_get(api_call_body(call), "command");
    struct err err;

    if (!json_is_array(command)) {
        err_set(&err, ERR_BAD_REQUEST, "command: must be a list of words");
        api_call_error(call, &err);
        return;
    }
    api_call_json(call, 200,
                  json_pack("{s:O,s:s}", "command", command, "user", api_call_user(call)->name));
}

static void upload_ended(void *arg, struct api_call *call, const struct err *err, int64_t bytes)
{
    if (err)
        api_call_error(call, err);
    else
        api_call_json(call, 200, json_pack("{s:I}", "bytes", (json_int_t)bytes));
}

/* PUT content writes to the file that the image's annotation "file" names. */
static void content(void *arg, struct api_call *call)
{
    const json_t *annotations = json_at(api_call_object(call), "metadata.annotations");
    const char *path = json_string_value(json_object_get(annotations, "file"));
    struct err err;
    int fd;

    if (!str_equal(api_call_method(call), "PUT")) {
        api_call_bytes(call, "text/plain", "content", 7);
        return;
    }
    fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0) {
        err_set(&err, ERR_CONFLICT, "the image takes no content");
        api_call_error(call, &err);
        return;
    }
    api_call_upload(call, fd, upload_ended, NULL);
}

/* Not what a screenshot is, but a test can ask for it: all history is forgotten. */
static void compact(void *arg, struct api_call *call)
{
    struct store *store = ((struct serve *)arg)->store;

    store->ops->compact(store, store->ops->revision(store));
    api_call_json(call, 200,
                  json_pack("{s:I}", "compacted", (json_int_t)store->ops->compacted(store)));
}

/* --- stand-ins for computed kinds --- */

static json_t *nodes(void *arg, const char *namespace_name)
{
    return json_pack("[{s:{s:s,s:s},s:{s:{s:s,s:s}}}]", "metadata", "name", "node1",
                     "creationTimestamp", "2026-01-01T00:00:00Z", "status", "allocatable", "cpu",
                     "4", "memory", "8192Mi");
}

static json_t *node_metrics(void *arg, const char *namespace_name)
{
    return json_pack("[{s:{s:s,s:s},s:s,s:s,s:{s:s,s:s}}]", "metadata", "name", "node1",
                     "creationTimestamp", "2026-01-01T00:00:00Z", "timestamp",
                     "2026-01-01T00:00:00Z", "window", "30s", "usage", "cpu", "1500m", "memory",
                     "4096Mi");
}

static json_t *pod_metrics(void *arg, const char *namespace_name)
{
    return json_pack("[{s:{s:s,s:s,s:s},s:s,s:s,s:[{s:s,s:{s:s,s:s}}]}]", "metadata", "name", "web",
                     "namespace", "default", "creationTimestamp", "2026-01-01T00:00:00Z",
                     "timestamp", "2026-01-01T00:00:00Z", "window", "30s", "containers", "name",
                     "vm", "usage", "cpu", "250m", "memory", "256Mi");
}

/* --- start --- */

static void namespace_made(void *arg, const struct err *err, const struct record *record)
{
    const struct serve *serve = arg;

    if (err && err->code != ERR_ALREADY_EXISTS)
        fail(err);
    printf("ready %u\n", api_port(serve->api));
    fflush(stdout);
}

static void make_namespace(struct serve *serve, const char *name)
{
    struct store *store = serve->store;

    auto_free char *key = object_key("", "namespaces", "", name);
    auto_json json_t *object = json_pack(
        "{s:s,s:s,s:{s:s,s:o,s:s},s:{s:[s]},s:{s:s}}", "apiVersion", "v1", "kind", "Namespace",
        "metadata", "name", name, "uid",
        json_printf("00000000-0000-4000-8000-%012zx", strlen(name)), "creationTimestamp",
        "2026-01-01T00:00:00Z", "spec", "finalizers", "kubernetes", "status", "phase", "Active");
    auto_buf struct buf text = { 0 };
    struct store_value value;

    object_encode(object, &text, &value);
    store->ops->put(store, key, value, STORE_MUST_NOT_EXIST, namespace_made, serve);
}

static char *base64_line(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = (const unsigned char *)text;
    size_t size = strlen(text);
    struct buf line = { 0 };

    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = (unsigned)bytes[i] << 16 | (i + 1 < size ? bytes[i + 1] << 8 : 0) |
                        (i + 2 < size ? bytes[i + 2] : 0);

        buf_add_char(&line, digits[bits >> 18 & 63]);
        buf_add_char(&line, digits[bits >> 12 & 63]);
        buf_add_char(&line, i + 1 < size ? digits[bits >> 6 & 63] : '=');
        buf_add_char(&line, i + 2 < size ? digits[bits & 63] : '=');
    }
    return buf_take(&line);
}

static void write_text(const char *directory, const char *name, const char *text)
{
    auto_free char *path = str_printf("%s/%s", directory, name);
    struct err err;

    if (file_write_atomic(path, text, strlen(text), 0600, &err) < 0)
        fail(&err);
}

static char *read_text(const char *directory, const char *name)
{
    auto_free char *path = str_printf("%s/%s", directory, name);
    struct buf text = { 0 };
    struct err err;

    if (file_read(path, 64 * 1024, &text, &err) < 0)
        fail(&err);
    return buf_take(&text);
}

static gnutls_datum_t datum_of(const char *text)
{
    return (gnutls_datum_t){ (unsigned char *)text, (unsigned)strlen(text) };
}

static void must(int result)
{
    if (result < 0)
        abort();
}

/* admin.crt once more under another name: issued by 'issuer' (its files in the directory too), with
 * a life that ended a day ago when it is to be 'expired'. */
static void write_variant(const char *tls, const char *name, const char *issuer, bool expired)
{
    auto_free char *crt_name = str_printf("%s.crt", name), *key_name = str_printf("%s.key", name);
    auto_free char *issuer_crt = str_printf("%s.crt", issuer),
                   *issuer_key = str_printf("%s.key", issuer);
    auto_free char *crt_pem = read_text(tls, "admin.crt"), *key_pem = read_text(tls, "admin.key");
    auto_free char *ca_pem = read_text(tls, issuer_crt), *ca_key_pem = read_text(tls, issuer_key);
    gnutls_datum_t crt_text = datum_of(crt_pem), ca_text = datum_of(ca_pem),
                   ca_key_text = datum_of(ca_key_pem), out;
    time_t end = time(NULL) + (expired ? -1 : 1) * 24 * 3600;
    gnutls_x509_crt_t crt, ca;
    gnutls_x509_privkey_t ca_key;

    must(gnutls_x509_crt_init(&crt));
    must(gnutls_x509_crt_init(&ca));
    must(gnutls_x509_privkey_init(&ca_key));
    must(gnutls_x509_crt_import(crt, &crt_text, GNUTLS_X509_FMT_PEM));
    must(gnutls_x509_crt_import(ca, &ca_text, GNUTLS_X509_FMT_PEM));
    must(gnutls_x509_privkey_import(ca_key, &ca_key_text, GNUTLS_X509_FMT_PEM));
    must(gnutls_x509_crt_set_activation_time(crt, end - 10 * 24 * 3600));
    must(gnutls_x509_crt_set_expiration_time(crt, end));
    must(gnutls_x509_crt_sign2(crt, ca, ca_key, GNUTLS_DIG_SHA256, 0));
    must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out));
    auto_free char *text = str_dup_part((char *)out.data, out.size);
    write_text(tls, crt_name, text);
    write_text(tls, key_name, key_pem);
    gnutls_free(out.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_privkey_deinit(ca_key);
}

/* An administrator of somebody else's: issued by another authority. */
static void write_foreign(const char *tls)
{
    static const char *const masters[] = { "system:masters", NULL };
    auto_free char *directory = str_printf("%s/foreign", tls);
    auto_free char *crt = NULL, *key = NULL, *ca = NULL;
    struct err err;

    if (api_issue_client(directory, "admin", masters, CLIENT_TTL_S, &crt, &key, &ca, &err) < 0)
        fail(&err);
    write_text(directory, "admin.crt", crt);
    write_text(directory, "admin.key", key);
}

/* Client certificates for an administrator and for bob, and a kubeconfig for the first. */
static void write_clients(const struct serve *serve)
{
    static const char *const masters[] = { "system:masters", NULL };
    static const char *const developers[] = { "developers", "testers", NULL };
    const char *tls = serve->setup.tls;
    auto_free char *crt = NULL, *key = NULL, *ca = NULL, *bob_crt = NULL, *bob_key = NULL,
                   *bob_ca = NULL;
    struct err err;

    if (api_issue_client(tls, "admin", masters, CLIENT_TTL_S, &crt, &key, &ca, &err) < 0 ||
        api_issue_client(tls, "bob", developers, CLIENT_TTL_S, &bob_crt, &bob_key, &bob_ca, &err) <
            0)
        fail(&err);
    write_text(tls, "admin.crt", crt);
    write_text(tls, "admin.key", key);
    write_text(tls, "bob.crt", bob_crt);
    write_text(tls, "bob.key", bob_key);
    write_variant(tls, "expired", "ca", /*expired=*/true);
    write_variant(tls, "selfsigned", "admin", /*expired=*/false);
    write_foreign(tls);
    auto_free char *crt64 = base64_line(crt), *key64 = base64_line(key), *ca64 = base64_line(ca);
    auto_free char *text = str_printf(
        "apiVersion: v1\nkind: Config\ncurrent-context: virga\n"
        "clusters:\n- name: virga\n  cluster:\n    server: https://127.0.0.1:%u\n"
        "    certificate-authority-data: %s\n"
        "users:\n- name: admin\n  user:\n    client-certificate-data: %s\n    client-key-data: %s\n"
        "contexts:\n- name: virga\n  context: {cluster: virga, user: admin, namespace: default}\n",
        api_port(serve->api), ca64, crt64, key64);
    if (file_write_atomic(serve->setup.kubeconfig, text, strlen(text), 0600, &err) < 0)
        fail(&err);
}

static void stop(void *arg, int signal) { loop_stop(arg); }

static struct setup parse(int argc, char **argv)
{
    static const struct option options[] = {
        { "socket", required_argument, NULL, 's' },     { "listen", required_argument, NULL, 'l' },
        { "tls", required_argument, NULL, 't' },        { "store", required_argument, NULL, 'd' },
        { "kubeconfig", required_argument, NULL, 'k' }, { "token", required_argument, NULL, 'b' },
        { "audit", required_argument, NULL, 'a' },      { 0 },
    };
    struct setup setup = { 0 };

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 's':
            setup.socket = optarg;
            break;
        case 'l':
            setup.listen = optarg;
            break;
        case 't':
            setup.tls = optarg;
            break;
        case 'd':
            setup.store = optarg;
            break;
        case 'k':
            setup.kubeconfig = optarg;
            break;
        case 'b':
            setup.token = optarg;
            break;
        case 'a':
            setup.audit = optarg;
            break;
        default:
            exit(2);
        }
    return setup;
}

static void open_parts(struct serve *serve)
{
    const struct setup *setup = &serve->setup;
    struct store_sqlite_options sqlite = { .directory = setup->store };
    struct err err;

    serve->loop = loop_new(&err);
    if (!serve->loop)
        fail(&err);
    serve->workers = worker_pool_new(serve->loop, 2);
    serve->store = setup->store ? store_sqlite_open(serve->loop, &sqlite, &err)
                                : store_memory_new(serve->loop);
    if (!serve->store)
        fail(&err);
    serve->audit = setup->audit ? fopen(setup->audit, "we") : NULL;
}

static void open_api(struct serve *serve)
{
    const struct setup *setup = &serve->setup;
    struct api_options options = { .loop = serve->loop,
                                   .workers = serve->workers,
                                   .store = serve->store,
                                   .unix_socket = setup->socket,
                                   .listen = setup->listen,
                                   .tls_dir = setup->tls,
                                   .host_name = "node1",
                                   .admit = admit,
                                   .token = user_of_token,
                                   .audit = audit,
                                   .hook_arg = serve };
    struct err err;

    serve->api = api_new(&options, &err);
    if (!serve->api)
        fail(&err);
    api_bind(serve->api, &kind_instance, "console", console, serve);
    api_bind(serve->api, &kind_instance, "log", log_of, serve);
    api_bind(serve->api, &kind_instance, "exec", exec, serve);
    api_bind(serve->api, &kind_instance, "screenshot", compact, serve);
    api_bind(serve->api, &kind_image, "content", content, serve);
    api_bind_computed(serve->api, &kind_node, nodes, serve);
    api_bind_computed(serve->api, &kind_node_metrics, node_metrics, serve);
    api_bind_computed(serve->api, &kind_pod_metrics, pod_metrics, serve);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct serve serve = { .setup = parse(argc, argv) };
    struct loop_source *term, *interrupt;
    struct err err;

    raise_descriptor_limit();
    open_parts(&serve);
    open_api(&serve);
    if (serve.setup.kubeconfig)
        write_clients(&serve);
    term = loop_signal(serve.loop, SIGTERM, stop, serve.loop);
    interrupt = loop_signal(serve.loop, SIGINT, stop, serve.loop);
    make_namespace(&serve, "default");
    if (loop_run(serve.loop, &err) < 0)
        fail(&err);
    api_free(serve.api);
    store_free(serve.store);
    worker_pool_free(serve.workers);
    loop_source_free(term);
    loop_source_free(interrupt);
    loop_free(serve.loop);
    if (serve.audit)
        fclose(serve.audit);
    return 0;
}
