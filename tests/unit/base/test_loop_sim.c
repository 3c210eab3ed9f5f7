/* The simulated clock: what only it promises. */
#include "check.h"
#include "base/loop.h"
#include "base/mem.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Collects the letters of what fired. */
struct diary {
    struct loop *loop;
    char text[64];
};

struct entry {
    struct diary *diary;
    char letter;
    struct loop_source *source;
    int64_t again_ms; /* armed again after so long; 0: not */
};

static void on_entry(void *arg)
{
    struct entry *entry = arg;

    entry->diary->text[strlen(entry->diary->text)] = entry->letter;
    if (entry->again_ms)
        loop_timer_again(entry->source, entry->again_ms);
}

static void begin(struct entry *entry, struct diary *diary, char letter, int64_t delay_ms)
{
    *entry = (struct entry){ .diary = diary, .letter = letter };
    entry->source = loop_timer(diary->loop, delay_ms, on_entry, entry);
}

TEST(a_step_jumps_to_the_next_timer)
{
    auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(1);
    struct diary diary = { .loop = loop };
    int64_t start_ms = loop_now_ms(loop);
    int64_t start_wall_ms = loop_wall_ms(loop);
    struct entry hour, day;

    begin(&day, &diary, 'd', 24 * 3600 * 1000);
    begin(&hour, &diary, 'h', 3600 * 1000);
    CHECK(loop_sim_step(loop));
    CHECK_STR(diary.text, "h");
    CHECK_EQ(loop_now_ms(loop) - start_ms, 3600 * 1000);
    CHECK(loop_sim_step(loop));
    CHECK_EQ(loop_wall_ms(loop) - start_wall_ms, 24 * 3600 * 1000);
    CHECK(!loop_sim_step(loop));
    CHECK_STR(diary.text, "hd");
    loop_source_free(hour.source);
    loop_source_free(day.source);
}

TEST(running_ends_when_nothing_is_left)
{
    auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(1);
    struct diary diary = { .loop = loop };
    struct entry entry;
    struct err err = { 0 };
    int ends[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct loop_source *silent = loop_io(loop, ends[0], LOOP_READ, NULL, NULL);
    begin(&entry, &diary, 'a', 10);
    CHECK_OK(loop_run(loop, &err), &err);
    CHECK_STR(diary.text, "a");
    loop_source_free(entry.source);
    loop_source_free(silent);
    close(ends[0]);
    close(ends[1]);
}

TEST(advancing_fires_all_that_is_due_by_then_and_stops_there)
{
    auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(1);
    struct diary diary = { .loop = loop };
    int64_t start_ms = loop_now_ms(loop);
    struct entry every, late;

    begin(&every, &diary, 'e', 10);
    every.again_ms = 10;
    begin(&late, &diary, 'l', 36);
    loop_sim_advance(loop, 35);
    CHECK_STR(diary.text, "eee");
    CHECK_EQ(loop_now_ms(loop) - start_ms, 35);
    loop_sim_advance(loop, 0);
    CHECK_STR(diary.text, "eee");
    loop_sim_advance(loop, 5);
    CHECK_STR(diary.text, "eeele");
    loop_source_free(every.source);
    loop_source_free(late.source);
}

static void order_of_six(uint64_t seed, char to[64])
{
    auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(seed);
    struct diary diary = { .loop = loop };
    struct entry entries[6];

    for (size_t i = 0; i < 6; i++)
        begin(&entries[i], &diary, (char)('a' + i), 5);
    loop_sim_advance(loop, 5);
    for (size_t i = 0; i < 6; i++)
        loop_source_free(entries[i].source);
    memcpy(to, diary.text, 64);
}

TEST(the_seed_orders_what_is_due_at_the_same_instant)
{
    char first[64], text[64], again[64];
    unsigned firsts[6] = { 0 };

    order_of_six(1, first);
    unsigned same = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        order_of_six(seed, text);
        order_of_six(seed, again);
        CHECK_STR(text, again);
        CHECK_EQ(strlen(text), 6);
        firsts[text[0] - 'a']++;
        same += !strcmp(text, first);
    }
    CHECK(same < 10);
    for (size_t i = 0; i < 6; i++)
        CHECK(firsts[i] > 10); /* of 200: each gets to be the first */
}

TEST(random_numbers_follow_the_seed)
{
    auto_clean(loop_free_auto) struct loop *a = loop_sim_new(5);
    auto_clean(loop_free_auto) struct loop *b = loop_sim_new(5);
    auto_clean(loop_free_auto) struct loop *c = loop_sim_new(6);
    uint64_t drawn = loop_random(a);

    CHECK(drawn == loop_random(b));
    CHECK(drawn != loop_random(c));
}

TEST(many_timers_come_in_order_however_they_are_armed_and_freed)
{
    enum { COUNT = 500 };
    auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(9);
    struct diary diary = { .loop = loop };
    static struct entry entries[COUNT];
    static int64_t due_ms[COUNT];
    int64_t start_ms = loop_now_ms(loop);

    for (size_t i = 0; i < COUNT; i++)
        begin(&entries[i], &diary, 'x', due_ms[i] = (int64_t)(loop_random(loop) % 1000));
    for (size_t i = 0; i < COUNT; i += 3) /* a third is moved, a third freed */
        loop_timer_again(entries[i].source, due_ms[i] = (int64_t)(loop_random(loop) % 1000));
    for (size_t i = 1; i < COUNT; i += 3) {
        loop_source_free(entries[i].source);
        entries[i].source = NULL;
    }
    for (int64_t ms = 0; ms < 1000; ms++) {
        size_t wanted = 0;

        for (size_t i = 0; i < COUNT; i++)
            wanted += entries[i].source && due_ms[i] == ms;
        diary.text[0] = '\0';
        memset(diary.text, 0, sizeof diary.text);
        loop_sim_advance(loop, start_ms + ms - loop_now_ms(loop));
        CHECK_EQ(strlen(diary.text), wanted);
    }
    for (size_t i = 0; i < COUNT; i++)
        loop_source_free(entries[i].source);
}

static void on_for_ever(void *arg)
{
    struct entry *entry = arg;

    loop_timer_again(entry->source, 0);
}

static void run_for_ever(void)
{
    struct loop *loop = loop_sim_new(1);
    struct entry entry;

    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    close(STDERR_FILENO);
    signal(SIGABRT, SIG_DFL); /* cmocka's own would go on with the next test */
    entry.source = loop_timer(loop, 0, on_for_ever, &entry);
    loop_sim_advance(loop, 1);
}

TEST(an_instant_without_end_aborts)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        run_for_ever();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
}

/* --- a peer on a real socket, in simulated time --- */

struct peer {
    struct loop *loop;
    int fd;
    struct loop_source *io;
    struct loop_source *delay;
    int64_t answered_ms;
};

static void on_answer_time(void *arg)
{
    struct peer *peer = arg;

    CHECK_EQ(write(peer->fd, "answer", 6), 6);
}

static void on_question(void *arg, int fd, unsigned events)
{
    struct peer *peer = arg;
    char text[16];

    CHECK(read(fd, text, sizeof text) > 0);
    loop_source_free(peer->delay);
    peer->delay = loop_timer(peer->loop, 100, on_answer_time, peer);
}

static void on_answer(void *arg, int fd, unsigned events)
{
    struct peer *peer = arg;
    char text[16];

    CHECK_EQ(read(fd, text, sizeof text), 6);
    peer->answered_ms = loop_now_ms(peer->loop);
}

TEST(a_peer_on_a_socketpair_answers_in_simulated_time)
{
    for (uint64_t seed = 1; seed < 20; seed++) {
        auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(seed);
        struct diary diary = { .loop = loop };
        struct entry time_limit;
        int ends[2];

        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        struct peer server = { .loop = loop, .fd = ends[0] };
        struct peer client = { .loop = loop, .fd = ends[1] };
        int64_t asked_ms = loop_now_ms(loop);
        server.io = loop_io(loop, ends[0], LOOP_READ, on_question, &server);
        client.io = loop_io(loop, ends[1], LOOP_READ, on_answer, &client);
        begin(&time_limit, &diary, 't', 101);
        CHECK_EQ(write(client.fd, "question", 8), 8);
        loop_sim_advance(loop, 100);
        CHECK_EQ(client.answered_ms - asked_ms, 100);
        CHECK_STR(diary.text, "");

        loop_source_free(server.io);
        loop_source_free(client.io);
        loop_source_free(server.delay);
        loop_source_free(time_limit.source);
        close(ends[0]);
        close(ends[1]);
    }
}
