/* control/placement.c - the account of promised processors and memory. */
#include "control/placement.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/internal.h"
#include "kinds/tables/tables.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME "placement"

struct share {
    int64_t cpus, memory_bytes;
};
struct account {
    int64_t host_generation; /* of the Host as it was looked at last */
    struct map *shares;  /* uid to struct share */
    struct map *waiting; /* keys of instances that did not fit */
    struct promised sum;
};

static void account_free(void *pointer)
{
    struct account *account = pointer;

    map_free(account->shares);
    map_free(account->waiting);
    free(account);
}

static struct account *account_of(struct control *control)
{
    struct account *account = control_extension(control, NAME);

    if (account)
        return account;
    account = mem_new(struct account);
    account->shares = map_new(free);
    account->waiting = map_new(NULL);
    control_set_extension(control, NAME, account, account_free);
    return account;
}

struct room placement_capacity(struct control *control)
{
    const struct control_setup *setup = control_setup(control);
    struct room room = { (double)setup->host_cpus, setup->host_memory_bytes };

    if (!setup->host_cpus)
        room.cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
    if (!setup->host_memory_bytes)
        room.memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    return room;
}

static double factor(const json_t *host, const char *path, double fallback)
{
    const json_t *value = json_at(host, path);

    return json_is_number(value) ? json_number_value(value) : fallback;
}

struct room placement_allocatable(struct control *control)
{
    auto_json json_t *host = control_find(control, &kind_host, NULL, control_setup(control)->host_name);
    struct room room = placement_capacity(control);
    int64_t reserved = host ? view_bytes(&kind_host, host, "spec.reservedMemory") : 0;

    room.cpus *= factor(host, "spec.overcommit.cpu", 4);
    room.memory_bytes = room.memory_bytes > reserved ? room.memory_bytes - reserved : 0;
    room.memory_bytes =
        (int64_t)((double)room.memory_bytes * factor(host, "spec.overcommit.memory", 1));
    return room;
}

struct promised placement_promised(struct control *control) { return account_of(control)->sum; }

static void add(struct account *account, const struct share *share, int sign)
{
    account->sum.cpus += sign * share->cpus;
    account->sum.memory_bytes += sign * share->memory_bytes;
    account->sum.instances += sign;
}

void placement_adopt(struct control *control, const char *uid, int64_t cpus, int64_t memory_bytes)
{
    struct account *account = account_of(control);
    struct share *share = map_get(account->shares, uid);

    if (share) {
        add(account, share, -1);
    } else {
        share = mem_new(struct share);
        map_set(account->shares, uid, share);
    }
    *share = (struct share){ cpus, memory_bytes };
    add(account, share, +1);
}

/* 'had' is what the instance has already: of that, all is there. */
static int missing(const struct account *account, const struct room *room, const struct share *had,
                   const struct share *wanted, struct err *err)
{
    char needed[16], free_text[16], all[16];
    double free_cpus = room->cpus - (double)(account->sum.cpus - had->cpus);
    int64_t free_bytes = room->memory_bytes - (account->sum.memory_bytes - had->memory_bytes);

    if (wanted->cpus > had->cpus && (double)wanted->cpus > free_cpus)
        return err_set(err, ERR_EXHAUSTED, "needs %lld cpus, %.4g of %.4g free",
                       (long long)wanted->cpus, free_cpus > 0 ? free_cpus : 0, room->cpus);
    if (wanted->memory_bytes <= had->memory_bytes || wanted->memory_bytes <= free_bytes)
        return 0;
    quantity_format_human(wanted->memory_bytes, needed, sizeof needed);
    quantity_format_human(free_bytes > 0 ? free_bytes : 0, free_text, sizeof free_text);
    quantity_format_human(room->memory_bytes, all, sizeof all);
    return err_set(err, ERR_EXHAUSTED, "needs %s memory, %s of %s free", needed, free_text, all);
}

static void wake_waiting(struct control *control)
{
    struct account *account = account_of(control);
    const char *key;

    for (size_t at = 0; map_next(account->waiting, &at, &key, NULL);) {
        control_wake_key(control, key);
        map_remove(account->waiting, key);
    }
}

void placement_host_seen(struct control *control, const json_t *host)
{
    struct account *account = account_of(control);
    int64_t generation = json_int_at(host, "metadata.generation", 1);

    if (generation != account->host_generation)
        wake_waiting(control);
    account->host_generation = generation;
}

int placement_take(struct control *control, const char *uid, int64_t cpus, int64_t memory_bytes,
                   struct err *err)
{
    struct account *account = account_of(control);
    const struct share *share = map_get(account->shares, uid), wanted = { cpus, memory_bytes };
    const struct share had = share ? *share : (struct share){ 0 };

    if (cpus == had.cpus && memory_bytes == had.memory_bytes)
        return 0;
    const struct room room = placement_allocatable(control);
    auto_json json_t *host = control_find(control, &kind_host, NULL, control_setup(control)->host_name);
    if (!share && host && view_bool(&kind_host, host, "spec.unschedulable"))
        return err_set(err, ERR_EXHAUSTED, "host %s takes no further instances (spec.unschedulable)",
                       control_setup(control)->host_name);
    if (missing(account, &room, &had, &wanted, err) < 0)
        return -1;
    placement_adopt(control, uid, cpus, memory_bytes);
    if (cpus < had.cpus || memory_bytes < had.memory_bytes)
        wake_waiting(control);
    return 0;
}

void placement_give_back(struct control *control, const char *uid)
{
    struct account *account = account_of(control);
    struct share *share = map_get(account->shares, uid);

    if (!share)
        return;
    add(account, share, -1);
    map_remove(account->shares, uid);
    wake_waiting(control);
}

void placement_wait(struct control *control, const char *key)
{
    map_set(account_of(control)->waiting, key, NULL);
}
