/* control/autoscaler_scrape.c - metrics that members expose as Prometheus text: asked over HTTP
 * from inside their network, every two seconds.
 *
 *   dial -> request -> answer to its end -> values as if the member had pushed them
 *
 * HTTP/1.0 is asked for, so that an answer comes in one piece and ends with its connection. A
 * member that does not answer in time, or with nonsense, has no value; it stops nobody else. */
#include "control/autoscaler.h"
#include "control/balancers.h"
#include "control/group.h"
#include "base/chain.h"
#include "base/mem.h"
#include "base/netaddr.h"
#include "base/str.h"
#include "elastic/exposition.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PERIOD_MS = 2000,
    TIMEOUT_MS = 1500,
    ANSWER_SIZE_MAX = 1024 * 1024,
    SCRAPES_MAX = 256,
    PIECE_SIZE = 16 * 1024
};

struct scrape {
    struct scrape *next, **link;
    struct scaler *scaler; /* NULL: nobody waits any more */
    struct loop *loop;
    char *member, *endpoint; /* "8080/metrics" */
    char *request;
    json_t *metrics; /* names to look for */
    int fd;
    struct loop_source *readable, *timer;
    struct buf answer;
};

static void scrape_free(struct scrape *scrape)
{
    loop_source_free(scrape->readable);
    loop_source_free(scrape->timer);
    if (scrape->fd >= 0)
        close(scrape->fd);
    buf_done(&scrape->answer);
    json_decref(scrape->metrics);
    free(scrape->member);
    free(scrape->endpoint);
    free(scrape->request);
    free(scrape);
}

static void unlink_scrape(struct scrape *scrape)
{
    if (!scrape->link)
        return;
    scrape->scaler->scrape_count--;
    chain_remove(scrape);
}

void scrapes_cut_off(struct scaler *scaler)
{
    while (scaler->scrapes) {
        struct scrape *scrape = scaler->scrapes;

        unlink_scrape(scrape);
        scrape->scaler = NULL;
        /* One that still dials is freed by its answer. */
        if (scrape->fd >= 0)
            scrape_free(scrape);
    }
}

/* --- the answer --- */

/* The body of a "HTTP/1.x 200"; NULL: it is none. */
static const char *body_of(const struct buf *answer)
{
    const char *end = answer->size ? strstr(answer->bytes, "\r\n\r\n") : NULL;
    bool is_good =
        end && str_starts(answer->bytes, "HTTP/1.") && strncmp(answer->bytes + 8, " 200", 4) == 0;

    return is_good ? end + 4 : NULL;
}

static void take_answer(struct scrape *scrape)
{
    const char *body = scrape->answer.overflowed ? NULL : body_of(&scrape->answer);

    for (size_t i = 0; body && i < json_array_size(scrape->metrics); i++) {
        const char *name = json_string_value(json_array_get(scrape->metrics, i));
        struct exposed exposed;

        if (exposition_find(body, (size_t)(scrape->answer.bytes + scrape->answer.size - body), name,
                            &exposed))
            scaler_custom_exposed(scrape->scaler, scrape->member, name, &exposed);
    }
}

static void scrape_end(struct scrape *scrape)
{
    unlink_scrape(scrape);
    scrape_free(scrape);
}

static void on_late(void *arg) { scrape_end(arg); }

static void on_readable(void *arg, int fd, unsigned events)
{
    struct scrape *scrape = arg;
    char piece[PIECE_SIZE];
    ssize_t got = recv(fd, piece, sizeof piece, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        buf_add(&scrape->answer, piece, (size_t)got);
    if (got > 0 && !scrape->answer.overflowed)
        return;
    if (got == 0)
        take_answer(scrape);
    scrape_end(scrape);
}

static void dialled(void *arg, const struct err *err, int take_fd)
{
    struct scrape *scrape = arg;

    scrape->fd = err ? -1 : take_fd;
    if (!scrape->scaler) {
        scrape_free(scrape);
        return;
    }
    if (err || send(scrape->fd, scrape->request, strlen(scrape->request),
                    MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        scrape_end(scrape);
        return;
    }
    scrape->timer = loop_timer(scrape->loop, TIMEOUT_MS, on_late, scrape);
    scrape->readable = loop_io(scrape->loop, scrape->fd, LOOP_READ, on_readable, scrape);
}

/* --- asking --- */

/* Where the items of spec.metrics and spec.steps that expose something are asked, each place once.
 */
struct endpoint {
    const char *path;
    int64_t port;
    char *name;      /* owned */
    json_t *metrics; /* owned */
};

static bool is_under_way(const struct scaler *scaler, const char *member, const char *endpoint)
{
    for (const struct scrape *scrape = scaler->scrapes; scrape; scrape = scrape->next)
        if (str_equal(scrape->member, member) && str_equal(scrape->endpoint, endpoint))
            return true;
    return false;
}

static void begin(struct scaler *scaler, const json_t *instance, const struct endpoint *endpoint)
{
    const struct control_setup *setup = control_setup(scaler->control);
    const json_t *card = member_card(instance);
    const char *member = object_name(instance);
    struct ip_addr addr;
    struct scrape *scrape;
    struct err err;

    if (!card || scaler->scrape_count >= SCRAPES_MAX ||
        is_under_way(scaler, member, endpoint->name) ||
        ip_parse(json_text_at(card, "ipv4Address", json_text_at(card, "ipv6Address", "")), &addr,
                 &err) < 0)
        return;
    scrape = mem_new(struct scrape);
    *scrape = (struct scrape){ .next = scaler->scrapes,
                               .scaler = scaler,
                               .loop = setup->loop,
                               .member = str_dup(member),
                               .endpoint = str_dup(endpoint->name),
                               .metrics = json_incref(endpoint->metrics),
                               .fd = -1,
                               .answer = { .size_max = ANSWER_SIZE_MAX } };
    scrape->request =
        str_printf("GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: virga\r\nAccept: text/plain\r\n\r\n",
                   endpoint->path, member);
    chain_add(&scaler->scrapes, scrape);
    scaler->scrape_count++;
    setup->network->ops->dial(setup->network, json_text_at(card, "networkUID", ""), &addr,
                              (uint16_t)endpoint->port, TIMEOUT_MS, dialled, scrape);
}

static void scrape_members(struct scaler *scaler, const json_t *group,
                           const struct endpoint *endpoint)
{
    struct group_book *book = group_book_of(scaler->control, group);
    const char *name;

    for (size_t at = 0; map_next(book->members, &at, &name, NULL);) {
        auto_json json_t *instance =
            control_find(scaler->control, &kind_instance, book->namespace_name, name);

        if (instance && condition_is_true(instance, CONDITION_SERVING))
            begin(scaler, instance, endpoint);
    }
}

static void add_endpoint(struct map *endpoints, const json_t *item)
{
    const json_t *scrape = json_object_get(item, "scrape");
    const char *path = json_text_at(scrape, "path", "/metrics");
    int64_t port = json_int_at(scrape, "port", 0);
    auto_free char *name = str_printf("%lld%s", (long long)port, path);
    struct endpoint *endpoint = scrape ? map_get(endpoints, name) : NULL;

    if (!scrape)
        return;
    if (!endpoint) {
        endpoint = mem_new(struct endpoint);
        *endpoint = (struct endpoint){ path, port, str_dup(name), json_array() };
        map_set(endpoints, name, endpoint);
    }
    json_array_append(endpoint->metrics, json_object_get(item, "metric"));
}

static void endpoint_free(void *value)
{
    struct endpoint *endpoint = value;

    free(endpoint->name);
    json_decref(endpoint->metrics);
    free(endpoint);
}

void scaler_scrape(struct scaler *scaler, const json_t *autoscaler, const json_t *group)
{
    static const char *const lists[] = { "spec.metrics", "spec.steps" };
    int64_t now_ms = control_wall_ms(scaler->control);
    auto_clean(map_free_auto) struct map *endpoints = NULL;
    void *endpoint;

    if (now_ms - scaler->scraped_ms < PERIOD_MS && now_ms >= scaler->scraped_ms)
        return;
    scaler->scraped_ms = now_ms;
    endpoints = map_new(endpoint_free);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const json_t *items = json_at(autoscaler, lists[i]);

        for (size_t j = 0; j < json_array_size(items); j++)
            add_endpoint(endpoints, json_array_get(items, j));
    }
    for (size_t at = 0; map_next(endpoints, &at, NULL, &endpoint);)
        scrape_members(scaler, group, endpoint);
}
