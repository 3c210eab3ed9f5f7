/* tests/contract/network/leftovers.c - looking for what was left. */
#include "leftovers.h"
#include "base/files.h"
#include "base/str.h"
#include "check.h"
#include "drivers/network/netns/netlink.h"
#include "drivers/network/netns/nft.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_empty(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            check_fail(CHECK_HERE, "%s/%s was left", folder, entry->d_name);
    if (dir)
        closedir(dir);
}

static void check_no_mounts(const char *folder)
{
    auto_buf struct buf mounts = { 0 };
    struct err err;

    CHECK_OK(file_read("/proc/self/mounts", 1 << 20, &mounts, &err), &err);
    CHECK(!strstr(mounts.bytes, folder));
}

static bool is_server_of(const char *pid, const char *folder)
{
    auto_free char *wanted = str_printf("--conf-file=%s/", folder);
    auto_free char *path = str_printf("/proc/%s/cmdline", pid);
    auto_buf struct buf line = { 0 };
    struct err unused;

    if (file_read(path, 65536, &line, &unused) < 0)
        return false;
    for (size_t at = 0; at < line.size; at += strlen(line.bytes + at) + 1)
        if (str_starts(line.bytes + at, wanted))
            return true;
    return false;
}

unsigned count_servers(const char *folder)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    unsigned count = 0;

    while (dir && (entry = readdir(dir)))
        if (isdigit((unsigned char)entry->d_name[0]) && is_server_of(entry->d_name, folder))
            count++;
    if (dir)
        closedir(dir);
    return count;
}

static void on_link(void *arg, const struct link *link)
{
    const char *prefix = arg;

    if (str_starts(link->name, prefix))
        check_fail(CHECK_HERE, "link %s was left", link->name);
}

static void check_no_links(const char *prefix)
{
    struct netlink netlink;
    struct err err;

    CHECK_OK(netlink_open(&netlink, &err), &err);
    CHECK_OK(link_each(&netlink, on_link, (void *)prefix, &err), &err);
    netlink_close(&netlink);
}

static void check_no_table(const char *prefix)
{
    auto_free char *table = str_printf("virga_%s", prefix);
    auto_json json_t *objects = NULL;
    struct err err;
    size_t i;
    json_t *object;

    CHECK_OK(nft_list("list tables", &objects, &err), &err);
    json_array_foreach (objects, i, object) {
        if (str_equal(json_text_at(object, "table.name", NULL), table))
            check_fail(CHECK_HERE, "table %s was left", table);
    }
}

void check_nothing_left(const char *run_dir, const char *state_dir, const char *prefix)
{
    CHECK_EQ(count_servers(run_dir), 0);
    check_empty(run_dir);
    check_empty(state_dir);
    check_no_mounts(run_dir);
    check_no_links(prefix);
    check_no_table(prefix);
}
