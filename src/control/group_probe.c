/* control/group_probe.c - is a member ready, is it alive.
 *
 * TCP and HTTP are asked from inside the member's network, as a neighbour would. One probe of each
 * kind at a time per member. */
#include "control/group.h"
#include "base/chain.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/netaddr.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_SIZE = 64, GOOD_MIN = 200, GOOD_END = 400 };

/* Until the first good answer the wait is a tenth of the time that it has been running. */
enum { FIRST_PERIOD_MS = 50, FIRST_PERIODS = 10 };

/* A connection whose first packet came too early is tried again by the kernel a second later: by us,
 * sooner. */
enum { DIAL_MS = 80 };

struct probe {
    struct probe *next, **link;
    struct member_book *book; /* NULL: nobody waits any more */
    struct loop *loop;
    char *what;               /* "GET / at port 80", for people */
    char *request;            /* of HTTP; NULL: a connection is enough */
    bool is_liveness;
    int fd;
    struct loop_source *readable, *timer;
    char answer[ANSWER_SIZE];
    size_t answer_size;
    int64_t timeout_ms, dial_ms;
};

static void probe_free(struct probe *probe)
{
    loop_source_free(probe->readable);
    loop_source_free(probe->timer);
    if (probe->fd >= 0)
        close(probe->fd);
    free(probe->what);
    free(probe->request);
    free(probe);
}

void probes_cut_off(struct member_book *book)
{
    while (book->probes) {
        struct probe *probe = book->probes;

        chain_remove(probe);
        probe->book = NULL;
        /* One that still dials is freed by its answer. */
        if (probe->fd >= 0)
            probe_free(probe);
    }
}

static void keep_text(char **text, char *take_other)
{
    free(*text);
    *text = take_other;
}

/* 'take_found' is what is bad, owned; NULL: nothing. */
static void probe_end(struct probe *probe, char *take_found)
{
    struct member_book *book = probe->book;
    bool is_good = !take_found;
    struct group_book *group;

    chain_remove(probe);
    if (!book) {
        free(take_found);
        probe_free(probe);
        return;
    }
    group = book->group;
    if (probe->is_liveness) {
        book->is_live_probing = false;
        book->live_bad = is_good ? 0 : book->live_bad + 1;
        keep_text(&book->not_alive, take_found);
    } else {
        book->is_probing = false;
        book->good = is_good ? book->good + 1 : 0;
        book->bad = is_good ? 0 : book->bad + 1;
        keep_text(&book->not_ready, take_found);
    }
    probe_free(probe);
    control_wake(group->control, &kind_instance_group, group->namespace_name, group->name);
}

static void on_late(void *arg)
{
    struct probe *probe = arg;

    probe_end(probe, str_printf("%s was not answered within %lld ms", probe->what, (long long)probe->timeout_ms));
}

static void on_readable(void *arg, int fd, unsigned events)
{
    struct probe *probe = arg;
    ssize_t got = recv(fd, probe->answer + probe->answer_size, ANSWER_SIZE - 1 - probe->answer_size, MSG_DONTWAIT);
    int status = 0;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        probe->answer_size += (size_t)got;
    probe->answer[probe->answer_size] = '\0';
    if (got > 0 && probe->answer_size < ANSWER_SIZE - 1 && !strchr(probe->answer, '\n'))
        return;
    if (sscanf(probe->answer, "HTTP/1.%*1[01] %3d", &status) != 1)
        probe_end(probe, str_printf("%s was answered with what is no HTTP", probe->what));
    else if (status < GOOD_MIN || status >= GOOD_END)
        probe_end(probe, str_printf("%s was answered %d", probe->what, status));
    else
        probe_end(probe, NULL);
}

static void dialled(void *arg, const struct err *err, int take_fd)
{
    struct probe *probe = arg;

    probe->fd = err ? -1 : take_fd;
    if (err || !probe->book || !probe->request) {
        probe_end(probe, err ? str_dup(err->text) : NULL);
        return;
    }
    if (send(probe->fd, probe->request, strlen(probe->request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        probe_end(probe, str_printf("%s: the connection broke", probe->what));
        return;
    }
    probe->timer = loop_timer(probe->loop, probe->timeout_ms, on_late, probe);
    probe->readable = loop_io(probe->loop, probe->fd, LOOP_READ, on_readable, probe);
}

const json_t *member_card(const json_t *instance)
{
    const json_t *cards = json_at(instance, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        if (json_object_get(json_array_get(cards, i), "ipv4Address") ||
            json_object_get(json_array_get(cards, i), "ipv6Address"))
            return json_array_get(cards, i);
    return NULL;
}

static int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

/* Who is probed, as found now. */
struct subject {
    struct group_scene *scene;
    struct member_book *book;
    const json_t *instance;
    struct machine_status machine;
};

static bool is_early(const struct subject *subject, bool is_liveness)
{
    return !is_liveness && !subject->book->good && !member_has_served(subject->instance);
}

static int64_t dial_ms_of(const struct subject *subject, bool is_liveness, int64_t timeout_ms)
{
    int64_t age_ms = group_now_ms(subject->scene) - subject->book->begun_ms;

    return is_early(subject, is_liveness) ? min_of(timeout_ms, max_of(DIAL_MS, age_ms / FIRST_PERIODS)) : timeout_ms;
}

static bool begin(struct subject *subject, const json_t *rule, bool is_liveness)
{
    const struct control_setup *setup = control_setup(subject->scene->work->control);
    struct member_book *book = subject->book;
    const json_t *card = member_card(subject->instance);
    int64_t port = json_int_at(rule, "port", 0);
    struct ip_addr addr;
    struct probe *probe;
    struct err err;

    if (!card || ip_parse(json_text_at(card, "ipv4Address", json_text_at(card, "ipv6Address", "")), &addr, &err) < 0)
        return false;
    probe = mem_new(struct probe);
    *probe = (struct probe){ .book = book, .loop = setup->loop, .is_liveness = is_liveness, .fd = -1, .timeout_ms = 1000 };
    (void)duration_parse(json_text_at(rule, "timeout", "1s"), &probe->timeout_ms, &err); /* validated */
    probe->dial_ms = dial_ms_of(subject, is_liveness, probe->timeout_ms);
    probe->what = str_equal(json_text_at(rule, "type", ""), "HTTP")
                      ? str_printf("GET %s at port %lld", json_text_at(rule, "path", "/"), (long long)port)
                      : str_printf("port %lld", (long long)port);
    if (str_equal(json_text_at(rule, "type", ""), "HTTP"))
        probe->request = str_printf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: virga-probe\r\nConnection: close\r\n\r\n",
                                    json_text_at(rule, "path", "/"), book->name);
    chain_add(&book->probes, probe);
    setup->network->ops->dial(setup->network, json_text_at(card, "networkUID", ""), &addr, (uint16_t)port,
                              probe->dial_ms, dialled, probe);
    return true;
}

static bool is_asked_by_network(const json_t *rule)
{
    const char *type = json_text_at(rule, "type", "");

    return str_equal(type, "TCP") || str_equal(type, "HTTP");
}

/* Judged by the machine itself: the Instance may be a moment behind, and after a start of the daemon
 * both machine and agent have to be heard of first. */
static bool holds_by_machine(const json_t *rule, const struct machine_status *machine)
{
    return machine->state == MACHINE_RUNNING &&
           (machine->agent_connected || !str_equal(json_text_at(rule, "type", ""), "Agent"));
}

static int64_t period_of(const json_t *rule)
{
    int64_t period_ms = 1000;
    struct err err;

    (void)duration_parse(json_text_at(rule, "period", "1s"), &period_ms, &err); /* validated */
    return period_ms;
}


/* One that has just begun is asked often, so that a fork is found ready as soon as it is. */
static int64_t wait_of(const struct subject *subject, const json_t *rule, bool is_liveness)
{
    int64_t period_ms = period_of(rule), age_ms = group_now_ms(subject->scene) - subject->book->begun_ms;

    if (!is_early(subject, is_liveness))
        return period_ms;
    return min_of(period_ms, max_of(FIRST_PERIOD_MS, age_ms / FIRST_PERIODS));
}

/* When a probe is due it is begun; the next look comes when it has been answered, or is due again. */
static void probe_when_due(struct subject *subject, const json_t *rule, bool is_liveness)
{
    struct member_book *book = subject->book;
    int64_t *probed_ms = is_liveness ? &book->live_probed_ms : &book->probed_ms;
    bool *is_probing = is_liveness ? &book->is_live_probing : &book->is_probing;
    int64_t wait_ms = wait_of(subject, rule, is_liveness), now_ms = group_now_ms(subject->scene);

    if (*is_probing)
        return;
    if (now_ms - *probed_ms >= wait_ms || now_ms < *probed_ms) {
        *probed_ms = now_ms;
        *is_probing = begin(subject, rule, is_liveness);
    }
    if (!*is_probing)
        group_again(subject->scene, *probed_ms + wait_ms - now_ms);
}

/* One more second without an answer is one more failure. */
static void count_by_machine(struct subject *subject, const json_t *rule, bool holds)
{
    struct member_book *book = subject->book;
    int64_t period_ms = period_of(rule), now_ms = group_now_ms(subject->scene);

    if (holds) {
        book->good++;
        book->bad = 0;
        return;
    }
    if (now_ms - book->probed_ms >= period_ms) {
        book->probed_ms = now_ms;
        book->bad++;
        book->good = 0;
    }
    group_again(subject->scene, period_ms);
}

/* A fork that is still its parent's double cannot be reached, and is not asked. */
static void judge_readiness(struct subject *subject, const json_t *rule)
{
    struct member_book *book = subject->book;
    enum machine_state state = subject->machine.state;

    if ((state != MACHINE_RUNNING && state != MACHINE_LAUNCHING) || member_is_unsettled(subject->instance)) {
        book->is_ready = false;
        book->good = book->bad = 0;
        return;
    }
    if (!is_asked_by_network(rule))
        count_by_machine(subject, rule, holds_by_machine(rule, &subject->machine));
    else if (state == MACHINE_RUNNING)
        probe_when_due(subject, rule, /*is_liveness=*/false);
    if (book->good >= (unsigned)json_int_at(rule, "successThreshold", 1))
        book->is_ready = true;
    else if (book->bad >= (unsigned)json_int_at(rule, "failureThreshold", 3))
        book->is_ready = false;
}

static int64_t serving_since_ms(const json_t *instance)
{
    const char *text = json_text_at(condition_get(instance, "Serving"), "lastTransitionTime", NULL);
    int64_t wall_ms = INT64_MAX;
    struct err err;

    if (text)
        (void)time_parse(text, &wall_ms, &err); /* stored by us */
    return wall_ms;
}

static void judge_liveness(struct subject *subject, const json_t *rule)
{
    struct group_scene *scene = subject->scene;
    struct member_book *book = subject->book;
    int64_t delay_ms = 0;
    struct err err;

    (void)duration_parse(json_text_at(rule, "initialDelay", "0s"), &delay_ms, &err); /* validated */
    if (!member_has_served(subject->instance) || group_now_ms(scene) < serving_since_ms(subject->instance) + delay_ms)
        return;
    if (is_asked_by_network(rule)) {
        probe_when_due(subject, rule, /*is_liveness=*/true);
    } else if (holds_by_machine(rule, &subject->machine)) {
        book->live_bad = 0;
        return;
    } else {
        if (group_now_ms(scene) - book->live_probed_ms >= period_of(rule)) {
            book->live_probed_ms = group_now_ms(scene);
            book->live_bad++;
        }
        group_again(scene, period_of(rule));
    }
    if (book->live_bad < (unsigned)json_int_at(rule, "failureThreshold", 3))
        return;
    auto_free char *why = str_printf("it is not alive by its probe%s%s", book->not_alive ? ": " : "",
                                     book->not_alive ? book->not_alive : "");
    member_book_fails(book, why);
}

/* What was found out about one boot says nothing of the next. */
static void begin_boot(struct member_book *book, const json_t *instance)
{
    const char *boot = json_text_at(instance, "status.startedAt", "");

    if (str_equal(book->boot, boot))
        return;
    if (book->boot) {
        book->is_ready = false;
        book->good = book->bad = book->live_bad = 0;
        keep_text(&book->not_ready, NULL);
        keep_text(&book->not_alive, NULL);
    }
    free(book->boot);
    book->boot = str_dup(boot);
}

static void look_at(struct subject *subject)
{
    struct compute *compute = control_setup(subject->scene->work->control)->compute;
    struct member_book *book = subject->book;

    compute->ops->observe(compute, object_uid(subject->instance), &subject->machine);
    if (subject->machine.state != MACHINE_RUNNING || member_is_unsettled(subject->instance))
        book->begun_ms = 0;
    else if (!book->begun_ms)
        book->begun_ms = group_now_ms(subject->scene);

    /* A daemon that begins believes what the last one found, until it has looked itself. */
    if (book->probed_ms == 0 && !book->good && condition_is_true(subject->instance, "Serving"))
        book->is_ready = true;
    begin_boot(book, subject->instance);
    judge_readiness(subject, json_at(subject->scene->object, "spec.readiness"));
}

void group_probe_member(struct group_scene *scene, size_t member)
{
    const json_t *liveness = json_at(scene->object, "spec.liveness");
    struct subject subject = { .scene = scene, .book = scene->books[member], .instance = scene->instances[member] };

    look_at(&subject);
    if (liveness)
        judge_liveness(&subject, liveness);
}

void group_probe_seed(struct group_scene *scene, struct member_book *book, const json_t *instance)
{
    struct subject subject = { .scene = scene, .book = book, .instance = instance };

    look_at(&subject);
}
