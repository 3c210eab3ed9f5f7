/* control/autoscaler_scrape.c - metrics that members expose as Prometheus text: asked over HTTP
 * from inside their network, every two seconds.
 *
 *   dial -> request -> answer to its end -> values as if the member had pushed them
 *
 * HTTP/1.0 is asked for, so that an answer comes in one piece and ends with its connection. It is
 * read line by line as it comes: no turn of the loop does more than a piece of it, however many members
 * say however much. A member that does not answer in time, or with nonsense, has no value; it stops
 * nobody else. Condition MetricsScraped tells what cannot be used. */
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
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PERIOD_MS = 2000,
    TIMEOUT_MS = 1500,
    ANSWER_MIB_MAX = 1,   /* of a member */
    PERIOD_MIB_MAX = 16,  /* of all members of a group in a period */
    LINE_SIZE_MAX = 64 * 1024, /* and of the head of an answer */
    SCRAPES_MAX = 256,
    PIECE_SIZE = 16 * 1024,
    TROUBLE_MS = 10 * 1000 /* without any it is over */
};

struct scrape {
    struct scrape *next, **link;
    struct scaler *scaler; /* NULL: nobody waits any more */
    struct loop *loop;
    char *member, *endpoint; /* "8080/metrics" */
    char *request;
    json_t *metrics;       /* names to look for */
    struct exposed *found; /* of each of them */
    int fd;
    struct loop_source *readable, *timer;
    struct buf unread;     /* of the answer: the last line so far */
    size_t size;           /* of the answer so far */
    bool in_body;
};

static void scrape_free(struct scrape *scrape)
{
    loop_source_free(scrape->readable);
    loop_source_free(scrape->timer);
    if (scrape->fd >= 0)
        close(scrape->fd);
    buf_done(&scrape->unread);
    free(scrape->found);
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

/* --- trouble --- */

/* The first one is told until there was none for a while: who is in trouble changes from time to time. */
__attribute__((format(printf, 2, 3))) static void note_trouble(struct scaler *scaler, const char *format, ...)
{
    va_list args;

    scaler->scrape_trouble_ms = control_wall_ms(scaler->control);
    if (scaler->scrape_trouble)
        return;
    va_start(args, format);
    scaler->scrape_trouble = str_vprintf(format, args);
    va_end(args);
    scaler->is_dirty = true;
}

static void forget_trouble(struct scaler *scaler, int64_t now_ms)
{
    if (!scaler->scrape_trouble || now_ms - scaler->scrape_trouble_ms < TROUBLE_MS)
        return;
    free(scaler->scrape_trouble);
    scaler->scrape_trouble = NULL;
    scaler->is_dirty = true;
}

/* Told only when there was some once. */
void scrapes_show(struct work *work, const struct scaler *scaler)
{
    const char *trouble = scaler->scrape_trouble;

    if (trouble || condition_get(work->object, "MetricsScraped"))
        work_condition(work, "MetricsScraped", !trouble, trouble ? "NotUsable" : "Scraped", "%s", trouble ? trouble : "");
}

/* --- the answer --- */

static void scrape_end(struct scrape *scrape)
{
    unlink_scrape(scrape);
    scrape_free(scrape);
}

/* To its end, when it is whole. False: it is no "HTTP/1.x 200". */
static bool read_head(struct scrape *scrape, bool is_all)
{
    const char *text = scrape->unread.bytes;
    const char *end = scrape->unread.size ? memmem(text, scrape->unread.size, "\r\n\r\n", 4) : NULL;

    if (!end)
        return !is_all;
    if (!str_starts(text, "HTTP/1.") || strncmp(text + 8, " 200", 4) != 0)
        return false;
    scrape->in_body = true;
    buf_drop_front(&scrape->unread, (size_t)(end + 4 - text));
    return true;
}

static void read_lines(struct scrape *scrape, bool is_all)
{
    const char *text = scrape->unread.bytes;
    const char *last = scrape->unread.size ? memrchr(text, '\n', scrape->unread.size) : NULL;
    size_t size = is_all ? scrape->unread.size : last ? (size_t)(last + 1 - text) : 0;

    for (size_t i = 0; size > 0 && i < json_array_size(scrape->metrics); i++)
        exposition_add(text, size, json_string_value(json_array_get(scrape->metrics, i)), &scrape->found[i]);
    buf_drop_front(&scrape->unread, size);
}

/* False, and trouble noted: it cannot be used. */
static bool read_on(struct scrape *scrape, bool is_all)
{
    struct scaler *scaler = scrape->scaler;

    if (scrape->size > ANSWER_MIB_MAX << 20)
        note_trouble(scaler, "%s exposes more than %d MiB", scrape->member, ANSWER_MIB_MAX);
    else if (scaler->scraped_size > PERIOD_MIB_MAX << 20)
        note_trouble(scaler, "the members together expose more than %d MiB in two seconds", PERIOD_MIB_MAX);
    else if (scrape->unread.overflowed)
        note_trouble(scaler, "%s exposes a line of more than %d KiB", scrape->member, LINE_SIZE_MAX >> 10);
    else if (!scrape->in_body && !read_head(scrape, is_all))
        note_trouble(scaler, "%s:%s does not answer with HTTP 200", scrape->member, scrape->endpoint);
    else {
        if (scrape->in_body)
            read_lines(scrape, is_all);
        return true;
    }
    return false;
}

static void take_answer(struct scrape *scrape)
{
    for (size_t i = 0; i < json_array_size(scrape->metrics); i++) {
        const char *name = json_string_value(json_array_get(scrape->metrics, i));
        const struct exposed *found = &scrape->found[i];

        if (found->refused || !metric_is_amount(found->sum))
            note_trouble(scrape->scaler, "%s: %s is no number from 0 to %g", scrape->member, name, METRIC_AMOUNT_MAX);
        if (found->series > 0)
            scaler_custom_exposed(scrape->scaler, scrape->member, name, found);
    }
}

static void on_late(void *arg) { scrape_end(arg); }

static void on_readable(void *arg, int fd, unsigned events)
{
    struct scrape *scrape = arg;
    char piece[PIECE_SIZE];
    ssize_t got = recv(fd, piece, sizeof piece, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        buf_add(&scrape->unread, piece, (size_t)got);
        scrape->size += (size_t)got;
        scrape->scaler->scraped_size += (size_t)got;
    }
    if (got >= 0 && read_on(scrape, /*is_all=*/got == 0)) {
        if (got > 0)
            return;
        take_answer(scrape);
    }
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
                               .found = mem_array(json_array_size(endpoint->metrics), sizeof *scrape->found),
                               .fd = -1,
                               .unread = { .size_max = LINE_SIZE_MAX + PIECE_SIZE } };
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
    scaler->scraped_size = 0;
    forget_trouble(scaler, now_ms);
    endpoints = map_new(endpoint_free);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const json_t *items = json_at(autoscaler, lists[i]);

        for (size_t j = 0; j < json_array_size(items); j++)
            add_endpoint(endpoints, json_array_get(items, j));
    }
    for (size_t at = 0; map_next(endpoints, &at, NULL, &endpoint);)
        scrape_members(scaler, group, endpoint);
}
