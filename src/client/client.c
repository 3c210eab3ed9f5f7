/* client/client.c - one request on a curl handle that is kept for its connection. */
#include "client/internal.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_MS = 10 * 1000 };

/* What the callbacks of one request share. */
struct transfer {
    struct client *client;
    const struct client_request *request;
    struct buf answer;
    bool stopped; /* 'take' wanted no more */
    int64_t sent;
    time_t ticked_at; /* monotonic seconds */
};

int client_open(const struct client_settings *settings, struct client **ret_client, struct err *err)
{
    struct client *client;
    CURL *curl;

    /* Anything else would send the token in the clear. */
    if (settings->server && !str_starts(settings->server, "https://"))
        return err_set(err, ERR_BAD_REQUEST, "the server's address \"%s\" must be https://HOST:PORT", settings->server);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(curl = curl_easy_init()))
        return err_set(err, ERR_INTERNAL, "libcurl does not start");
    client = mem_new(struct client);
    *client = (struct client){
        .curl = curl,
        .socket = str_dup(settings->socket ? settings->socket : CLIENT_SOCKET_DEFAULT),
        .server = str_dup(settings->server),
        .ca = str_dup(settings->ca),
        .cert = str_dup(settings->cert),
        .key = str_dup(settings->key),
        .token = str_dup(settings->token),
    };
    *ret_client = client;
    return 0;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    json_decref(client->last_failure);
    free(client->socket);
    free(client->server);
    free(client->ca);
    free(client->cert);
    free(client->key);
    free(client->token);
    free(client);
}

int client_last_status(const struct client *client) { return (int)client->last_status; }

const json_t *client_last_details(const struct client *client)
{
    return json_object_get(client->last_failure, "details");
}

/* --- callbacks --- */

static size_t take_answer(char *bytes, size_t one, size_t size, void *arg)
{
    struct transfer *transfer = arg;
    long status = 0;

    curl_easy_getinfo(transfer->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->request->take && status >= 200 && status < 300) {
        transfer->stopped = !transfer->request->take(transfer->request->take_arg, bytes, size);
        return transfer->stopped ? 0 : size;
    }
    buf_add(&transfer->answer, bytes, size);
    return transfer->answer.overflowed ? 0 : size;
}

static size_t give_body(char *to, size_t one, size_t size, void *arg)
{
    struct transfer *transfer = arg;
    const struct client_request *request = transfer->request;
    ssize_t count;

    if (request->body_size >= 0 && request->body_size - transfer->sent < (int64_t)size)
        size = (size_t)(request->body_size - transfer->sent);
    do
        count = read(request->body_fd, to, size);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return CURL_READFUNC_ABORT;
    transfer->sent += count;
    if (request->progress)
        request->progress(request->progress_arg, transfer->sent);
    return (size_t)count;
}

/* curl calls this about once a second, and oftener while bytes flow. */
static int tick(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                curl_off_t up)
{
    struct transfer *transfer = arg;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec == transfer->ticked_at)
        return 0;
    transfer->ticked_at = now.tv_sec;
    transfer->stopped |= !transfer->request->tick(transfer->request->tick_arg);
    return transfer->stopped;
}

/* --- setting up --- */

static void add_header(struct curl_slist **headers, const char *name, const char *value)
{
    auto_free char *line = str_printf("%s: %s", name, value);

    *headers = curl_slist_append(*headers, line);
}

static struct curl_slist *make_headers(const struct client *client,
                                       const struct client_request *request)
{
    struct curl_slist *headers = NULL;

    add_header(&headers, "Accept", request->accept ? request->accept : "application/json");
    if (request->body || request->body_from_fd)
        add_header(&headers, "Content-Type",
                   request->content_type ? request->content_type : "application/json");
    if (client->token) {
        auto_free char *bearer = str_printf("Bearer %s", client->token);
        add_header(&headers, "Authorization", bearer);
    }
    /* Else curl waits a second for "100 Continue" before larger bodies. */
    return curl_slist_append(headers, "Expect:");
}

void client_aim(const struct client *client, CURL *curl, const char *path)
{
    auto_free char *url =
        str_printf("%s%s", client->server ? client->server : "http://localhost", path);

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    if (!client->server) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
        return;
    }
    if (client->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca);
    if (client->cert)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, client->cert);
    if (client->key)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, client->key);
}

/* The text of a JSON body, which must live as long as the request. */
static char *set_body(struct transfer *transfer)
{
    const struct client_request *request = transfer->request;
    CURL *curl = transfer->client->curl;
    char *text = NULL;

    if (request->body) {
        text = json_text(request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(text));
    } else if (request->body_from_fd) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_size);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method ? request->method : "GET");
    /* On a kept connection that dies curl would send it again, which may be twice. */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, request->method && !str_equal(request->method, "GET") ? 1L : 0L);
    return text;
}

/* --- the outcome --- */

static enum err_code code_of(long status, const char *reason)
{
    for (enum err_code code = ERR_BAD_REQUEST; code < ERR_CODE_COUNT; code++)
        if (err_http_status(code) == status && str_equal(err_reason(code), reason))
            return code;
    for (enum err_code code = ERR_BAD_REQUEST; code < ERR_CODE_COUNT; code++)
        if (err_http_status(code) == status)
            return code;
    return ERR_INTERNAL;
}

int client_refused(struct client *client, const char *body, size_t size, struct err *err)
{
    struct err unread;
    json_t *status = size ? json_parse(body, size, &unread) : NULL;
    const char *message = json_text_at(status, "message", NULL);

    json_decref(client->last_failure);
    client->last_failure = status;
    if (message)
        return err_set(err, code_of(client->last_status, json_text_at(status, "reason", "")), "%s",
                       message);
    return err_set(err, code_of(client->last_status, ""), "the server answers with HTTP status %ld",
                   client->last_status);
}

int client_unreached(struct client *client, CURL *curl, CURLcode code, struct err *err)
{
    const char *where = client->server ? client->server : client->socket;
    long os_error = 0;

    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
    if (code == CURLE_COULDNT_CONNECT && os_error)
        return err_set(err, os_error == EACCES || os_error == EPERM ? ERR_FORBIDDEN : ERR_UNAVAILABLE,
                       "cannot reach the server at %s: %s", where, strerror((int)os_error));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(err, ERR_UNAUTHORIZED,
                       "%s: the server's certificate is not valid for it, or not of the authority %s",
                       where, client->ca ? client->ca : "that this system trusts");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "%s: no answer in time", where);
    if (code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR)
        return err_set(err, ERR_UNAVAILABLE, "the server at %s broke off its answer", where);
    return err_set(err, ERR_UNAVAILABLE, "%s: %s", where, curl_easy_strerror(code));
}

static int judge(struct transfer *transfer, CURLcode code, json_t **ret_answer, struct err *err)
{
    struct client *client = transfer->client;
    bool is_good;

    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &client->last_status);
    is_good = client->last_status >= 200 && client->last_status < 300;
    if (client->last_status && !is_good) /* also when it came in the middle of our body */
        return client_refused(client, transfer->answer.bytes, transfer->answer.size, err);
    if (transfer->stopped)
        return 0;
    if (transfer->answer.overflowed)
        return err_set(err, ERR_TOO_LARGE, "the answer is larger than %d bytes", CLIENT_ANSWER_MAX);
    if (code != CURLE_OK)
        return client_unreached(client, client->curl, code, err);
    if (!ret_answer || transfer->request->take)
        return 0;
    *ret_answer = json_parse(transfer->answer.size ? transfer->answer.bytes : "",
                             transfer->answer.size, err);
    return *ret_answer ? 0 : err_wrap(err, "the server's answer");
}

int client_send(struct client *client, const struct client_request *request, json_t **ret_answer,
                struct err *err)
{
    struct transfer transfer = { .client = client,
                                 .request = request,
                                 .answer = { .size_max = CLIENT_ANSWER_MAX } };
    struct curl_slist *headers;
    char *text;
    int result;

    client->last_status = 0;
    json_decref(client->last_failure);
    client->last_failure = NULL;
    if (client_path_check(request->path, err) < 0)
        return -1;
    headers = make_headers(client, request);
    curl_easy_reset(client->curl);
    client_aim(client, client->curl, request->path);
    text = set_body(&transfer);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    if (request->tick) {
        curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, tick);
        curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, &transfer);
        curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
    }
    result = judge(&transfer, curl_easy_perform(client->curl), ret_answer, err);
    curl_slist_free_all(headers);
    buf_done(&transfer.answer);
    free(text);
    return result;
}

int client_get(struct client *client, const char *path, json_t **ret_answer, struct err *err)
{
    return client_send(client, &(struct client_request){ .path = path }, ret_answer, err);
}
