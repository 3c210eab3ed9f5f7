/* drivers/network/netns/driver.c - opening and closing, and what can be told at once. */
#include "drivers/network/netns/driver.h"

#include "base/files.h"
#include "base/mem.h"
#include <dirent.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCHES_MIN = 8192 };
#define WATCHES_MIN_TEXT "8192"

static const char *const dnsmasq_users[] = { "dnsmasq", "nobody" };

/* --- opening --- */

static const char *find_user(void)
{
    for (size_t i = 0; i < sizeof dnsmasq_users / sizeof dnsmasq_users[0]; i++)
        if (getpwnam(dnsmasq_users[i]))
            return dnsmasq_users[i];
    return "root"; /* a system without users has nobody to become */
}

/* dnsmasq gives up root before it reads the port files. */
static int check_searchable(const char *folder, struct err *err)
{
    auto_free char *path = str_dup(folder);
    struct stat status;

    for (char *slash; (slash = strrchr(path, '/')) != NULL; *slash = '\0') {
        if (*path && stat(path, &status) == 0 && !(status.st_mode & S_IXOTH))
            return err_set(err, ERR_INVALID,
                           "folder %s must be searchable for all users (mode 0711): dnsmasq's own "
                           "user reads below it",
                           path);
    }
    return 0;
}

/* Each dnsmasq needs a watch on folders, of which the kernel's default is 128 for a user. */
static void allow_watches(void)
{
    static const char path[] = "/proc/sys/fs/inotify/max_user_instances";
    auto_buf struct buf now = { 0 };
    struct err unused;

    if (file_read(path, 64, &now, &unused) == 0 && now.size > 0 &&
        strtol(now.bytes, NULL, 10) < WATCHES_MIN)
        (void)file_write_text(path, WATCHES_MIN_TEXT, &unused); /* then fewer networks fit */
}

static struct host *host_new(const struct network_setup *setup, struct err *err)
{
    struct host *host = mem_new(struct host);

    host->netns_fd = -1;
    if (dir_make(setup->state_dir, 0755, err) < 0 || dir_make(setup->run_dir, 0755, err) < 0 ||
        check_searchable(setup->run_dir, err) < 0 || namespace_open_own(&host->netns_fd, err) < 0) {
        free(host);
        return NULL;
    }
    host->state_dir = str_dup(setup->state_dir);
    host->run_dir = str_dup(setup->run_dir);
    memcpy(host->prefix, setup->prefix, strlen(setup->prefix) + 1);
    host->dnsmasq_user = find_user();
    allow_watches();
    pthread_mutex_init(&host->lock, NULL);
    host->rules_generation = 1;
    host->references = 1;
    return host;
}

/* A folder named by a uid is a network, half-made or half-removed maybe. */
static int find_networks(struct netns_driver *netns, const char *folder, struct err *err)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    struct err unused;

    if (!dir)
        return err_errno(err, "list %s", folder);
    while ((entry = readdir(dir)))
        if (network_uid_check(entry->d_name, &unused) == 0)
            net_make(netns, entry->d_name)->exists = true;
    closedir(dir);
    return 0;
}

static void find_ports(struct netns_driver *netns)
{
    const char *uid;
    void *value;
    struct err unused;

    for (size_t at = 0; map_next(netns->nets, &at, &uid, &value);) {
        struct net *net = value;
        char **ids = segment_ports(net->segment, &unused); /* none: without a namespace, no ports */

        net_set_ports(net, ids);
        network_names_free(ids);
        net_observe(net, &net->reported);
    }
}

static int check_prefix(const char *prefix, struct err *err)
{
    size_t length = strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789");

    if (length == 0 || prefix[length] || length >= HOST_PREFIX_SIZE ||
        (prefix[0] >= '0' && prefix[0] <= '9'))
        return err_set(err, ERR_INVALID,
                       "prefix \"%.20s\" of links must be 1 to %d lower-case letters and digits, "
                       "a letter first",
                       prefix, HOST_PREFIX_SIZE - 1);
    return 0;
}

static void netns_close(struct network_driver *driver)
{
    struct netns_driver *netns;

    if (!driver)
        return;
    netns = netns_of(driver);
    netns->is_closing = true;
    tasks_cancel(netns);
    map_free(netns->nets);
    host_release(netns->host);
    free(netns);
}

static struct network_driver *netns_open(const struct network_setup *setup, struct err *err)
{
    struct netns_driver *netns;
    struct host *host;

    if (check_prefix(setup->prefix, err) < 0)
        return NULL;
    host = host_new(setup, err);
    if (!host)
        return NULL;
    netns = mem_new(struct netns_driver);
    netns->driver.ops = &network_netns;
    netns->loop = setup->loop;
    netns->workers = setup->workers;
    netns->host = host;
    netns->changed = setup->changed;
    netns->arg = setup->arg;
    netns->nets = map_new(net_free);
    if (find_networks(netns, host->run_dir, err) < 0 ||
        find_networks(netns, host->state_dir, err) < 0) {
        netns_close(&netns->driver);
        return NULL;
    }
    find_ports(netns);
    return &netns->driver;
}

/* --- what can be told at once --- */

static void netns_network_observe(struct network_driver *driver, const char *uid,
                                  struct network_status *ret_status)
{
    net_observe(net_find(netns_of(driver), uid), ret_status);
}

static char **netns_list(struct network_driver *driver)
{
    struct map *nets = netns_of(driver)->nets;
    char **names = mem_array(map_count(nets) + 1, sizeof *names), **next = names;
    const char *uid;
    void *net;

    for (size_t at = 0; map_next(nets, &at, &uid, &net);)
        if (((struct net *)net)->exists)
            *next++ = str_dup(uid);
    *next = NULL;
    return names;
}

static char **netns_list_ports(struct network_driver *driver, const char *network_uid)
{
    struct net *net = net_find(netns_of(driver), network_uid);
    size_t count = net ? map_count(net->ports) : 0;
    char **names = mem_array(count + 1, sizeof *names), **next = names;
    const char *id;

    for (size_t at = 0; net && map_next(net->ports, &at, &id, NULL);)
        *next++ = str_dup(id);
    *next = NULL;
    return names;
}

const struct network_ops network_netns = {
    .name = "netns",
    .open = netns_open,
    .close = netns_close,
    .network_ensure = netns_network_ensure,
    .network_remove = netns_network_remove,
    .network_refresh = netns_network_refresh,
    .network_observe = netns_network_observe,
    .port_ensure = netns_port_ensure,
    .port_open = netns_port_open,
    .port_remove = netns_port_remove,
    .port_read = netns_port_read,
    .list = netns_list,
    .list_ports = netns_list_ports,
    .dial = netns_dial,
    .namespace_open = netns_namespace_open,
};
