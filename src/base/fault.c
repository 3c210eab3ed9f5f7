/* base/fault.c - counting the passings of named points. Worker threads pass points too,
 * so the counters are atomic; the table is written before threads start. */
#include "base/fault.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RULES_MAX = 16, NAME_SIZE_MAX = 64 };

enum action { ACTION_KILL, ACTION_FAIL };

static struct rule {
    char name[NAME_SIZE_MAX];
    enum action action;
    unsigned nth;
    atomic_uint passed;
} rules[RULES_MAX];
static unsigned rule_count;

static atomic_bool is_armed; /* any rule, or counting for fault_fail_nth() */
static atomic_uint fail_at;  /* 0: off */
static atomic_uint calls_seen;

/* Reads "name=kill@3" of 'length' characters into 'rule'. */
static bool read_rule(const char *text, size_t length, struct rule *rule)
{
    char part[NAME_SIZE_MAX + 32];
    char action[8];
    char count[10];
    char rest;

    if (length >= sizeof part)
        return false;
    memcpy(part, text, length);
    part[length] = '\0';
    if (sscanf(part, "%63[^=@ ]=%7[a-z]@%9[0-9]%c", rule->name, action, count, &rest) != 3)
        return false;
    rule->nth = (unsigned)strtoul(count, NULL, 10);
    rule->action = strcmp(action, "kill") == 0 ? ACTION_KILL : ACTION_FAIL;
    rule->passed = 0;
    return rule->nth > 0 && (rule->action == ACTION_KILL || strcmp(action, "fail") == 0);
}

int fault_init(const char *setting, struct err *err)
{
    unsigned count = 0;

    rule_count = 0;
    is_armed = false;
    if (!setting || !setting[0])
        return 0;
    for (const char *at = setting;; at++) {
        size_t length = strcspn(at, ",");

        if (count == RULES_MAX)
            return err_set(err, ERR_BAD_REQUEST, "VIRGA_FAULT: more than %d points", RULES_MAX);
        if (!read_rule(at, length, &rules[count++]))
            return err_set(err, ERR_BAD_REQUEST,
                           "VIRGA_FAULT: \"%.*s\" is not like NAME=kill@3 or NAME=fail@2",
                           (int)(length < 60 ? length : 60), at);
        at += length;
        if (!*at)
            break;
    }
    rule_count = count;
    is_armed = true;
    return 0;
}

/* Counts a passing of 'name' under each of its rules. True when this one is to fail;
 * does not return when it is to kill. */
static bool pass(const char *name, bool can_fail)
{
    bool fails = false;

    for (unsigned i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];

        if (strcmp(rule->name, name) != 0 || (rule->action == ACTION_FAIL && !can_fail) ||
            atomic_fetch_add(&rule->passed, 1) + 1 != rule->nth)
            continue;
        if (rule->action == ACTION_KILL)
            kill(getpid(), SIGKILL);
        fails = true;
    }
    return fails;
}

void fault_point(const char *name)
{
    if (atomic_load_explicit(&is_armed, memory_order_relaxed))
        pass(name, /*can_fail=*/false);
}

int fault_fails(const char *name, struct err *err)
{
    unsigned seen;

    if (!atomic_load_explicit(&is_armed, memory_order_relaxed))
        return 0;
    seen = atomic_fetch_add(&calls_seen, 1) + 1;
    if (!pass(name, /*can_fail=*/true) && seen != atomic_load(&fail_at))
        return 0;
    return err_set(err, ERR_IO, "injected fault at %s", name);
}

void fault_fail_nth(unsigned nth)
{
    calls_seen = 0;
    fail_at = nth;
    is_armed = true;
}

unsigned fault_calls_seen(void) { return calls_seen; }
