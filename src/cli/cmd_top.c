/* cli/cmd_top.c - top: what instances use; a live screen on a terminal, else a table. */
#include "cli/common.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "base/quantity.h"
#include <curses.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = 2000, ESCAPE_KEY = 27 };

struct top {
    struct session *session;
    bool all_namespaces;
    json_t *list, *hosts, *samples;
    enum usage_order order;
    int first; /* row shown first */
    char problem[ERR_TEXT_MAX];
};

static int refresh_lists(struct top *top, struct err *err)
{
    struct client *client = session_client(top->session, err);
    auto_free char *path =
        client_path(kind_find_name("instances"),
                    top->all_namespaces ? NULL : top->session->namespace_name, NULL, NULL);
    auto_free char *host_path = client_path(kind_find_name("hosts"), NULL, NULL, NULL);
    json_t *list = NULL, *hosts = NULL;
    struct err unread;

    if (!client || client_get(client, path, &list, err) < 0)
        return -1;
    json_decref(top->list);
    top->list = list;
    usage_learn(top->samples, list);
    if (client_get(client, host_path, &hosts, &unread) == 0) { /* not everybody may see hosts */
        json_decref(top->hosts);
        top->hosts = hosts;
    }
    return 0;
}

static void write_table(const struct top *top, struct buf *text)
{
    auto_json json_t *table = usage_table(top->list, top->samples, top->order);

    table_write(table, &(struct table_style){ .with_namespace = top->all_namespaces }, text);
}

static void human_at(const json_t *object, const char *path, char *to, size_t size)
{
    struct err unread;
    int64_t bytes;

    snprintf(to, size, "?");
    if (quantity_parse(json_text_at(object, path, ""), &bytes, &unread) == 0)
        quantity_format_human(bytes, to, size);
}

static double number_at(const json_t *object, const char *path)
{
    return json_number_value(json_at(object, path));
}

/* "vm: CPU 0.3 of 2, 1 promised; memory 3.2Gi of 24Gi, 512Mi promised; 1 instance" */
static void write_host(const json_t *host, struct buf *text)
{
    char used[QUANTITY_TEXT_SIZE], there[QUANTITY_TEXT_SIZE], promised[QUANTITY_TEXT_SIZE];

    human_at(host, "status.used.memory", used, sizeof used);
    human_at(host, "status.capacity.memory", there, sizeof there);
    human_at(host, "status.allocated.memory", promised, sizeof promised);
    buf_printf(text, "%s: processors %.1f of %.0f used, %.0f promised; memory %s of %s used, %s promised",
               json_text_at(host, "metadata.name", ""), number_at(host, "status.used.cpus"),
               number_at(host, "status.capacity.cpus"), number_at(host, "status.allocated.cpus"), used,
               there, promised);
}

/* --- the screen --- */

static void put_line(int line, const char *text, int length, bool stands_out)
{
    if (line >= LINES - 1)
        return;
    if (stands_out)
        attron(A_REVERSE);
    mvprintw(line, 0, "%-*.*s", COLS, length < COLS ? length : COLS, text);
    if (stands_out)
        attroff(A_REVERSE);
}

/* Returns the next free line. */
static int draw_hosts(const struct top *top)
{
    const json_t *items = json_object_get(top->hosts, "items");
    int line = 0;

    for (size_t i = 0; i < json_array_size(items) && line < LINES / 3; i++) {
        auto_buf struct buf text = { 0 };

        write_host(json_array_get(items, i), &text);
        put_line(line++, text.bytes, (int)text.size, false);
    }
    return line;
}

static void draw_rows(struct top *top, int line)
{
    int rows = (int)json_array_size(json_object_get(top->list, "items")), number = 0;
    auto_buf struct buf text = { 0 };

    if (top->first > rows - 1)
        top->first = rows > 0 ? rows - 1 : 0;
    write_table(top, &text);
    for (char *at = text.bytes, *end; at && (end = strchr(at, '\n')); at = end + 1, number++) {
        bool is_head = number == 0;

        if (is_head || number > top->first)
            put_line(line++, at, (int)(end - at), is_head);
    }
}

static void draw(struct top *top)
{
    erase();
    draw_rows(top, draw_hosts(top) + 1);
    mvprintw(LINES - 1, 0, "%.*s", COLS - 1, "");
    if (top->problem[0])
        printw("%.*s", COLS - 1, top->problem);
    else
        printw("q ends, s sorts (by %s), arrows scroll", usage_order_name(top->order));
    refresh();
}

/* False: the end was asked for. */
static bool obey(struct top *top, int key)
{
    switch (key) {
    case 'q':
    case ESCAPE_KEY:
        return false;
    case 's':
        top->order = (top->order + 1) % USAGE_ORDER_COUNT;
        break;
    case KEY_DOWN:
        top->first++;
        break;
    case KEY_UP:
        top->first -= top->first > 0;
        break;
    case KEY_NPAGE:
        top->first += LINES / 2;
        break;
    case KEY_PPAGE:
        top->first -= top->first > LINES / 2 ? LINES / 2 : top->first;
        break;
    default:
        break;
    }
    return true;
}

static bool open_screen(void)
{
    SCREEN *screen;

    setlocale(LC_CTYPE, "");
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return false;
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    timeout(INTERVAL_MS);
    return true;
}

static void run_screen(struct top *top)
{
    struct err err;
    int key;

    do {
        draw(top);
        key = getch();
        top->problem[0] = '\0';
        if (key == ERR && refresh_lists(top, &err) < 0) /* the server may be away for a moment */
            snprintf(top->problem, sizeof top->problem, "%s", err.text);
    } while (obey(top, key));
    endwin();
}

static void print_once(const struct top *top)
{
    auto_buf struct buf text = { 0 };

    if (json_array_size(json_object_get(top->list, "items")) == 0) {
        fputs("there are no instances\n", stderr);
        return;
    }
    write_table(top, &text);
    fputs(text.bytes, stdout);
}

COMMAND(cmd_top)
{
    struct top top = { .session = session,
                       .all_namespaces = argument_given(arguments, "all-namespaces"),
                       .samples = json_object() };
    bool is_once = argument_given(arguments, "once") || !session->out_is_terminal;
    int result = refresh_lists(&top, err);

    if (result == 0 && (is_once || !open_screen()))
        print_once(&top);
    else if (result == 0)
        run_screen(&top);
    json_decref(top.list);
    json_decref(top.hosts);
    json_decref(top.samples);
    return result;
}
