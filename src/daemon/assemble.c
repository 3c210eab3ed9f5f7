/* daemon/assemble.c - opens the parts in order of dependency and closes them in reverse. */
#include "daemon/assemble.h"
#include "daemon/audit.h"
#include "daemon/tokens.h"
#include "daemon/memory_dir.h"
#include "daemon/network_prefix.h"
#include "base/files.h"
#include "base/log.h"
#include "base/str.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { WORKER_THREADS = 4 };
/* Children that read foreign bytes (qemu-img, curl): the last user id of the range. */
enum { CONVERT_UID_OFFSET = 65535 };
/* The proxies of load balancers come after the machines. */
enum { BALANCER_UID_OFFSET = 65536 };

static void machine_changed(void *arg, const char *uid)
{
    struct daemon *daemon = arg;

    if (daemon->control)
        control_machine_changed(daemon->control, uid);
}

static void network_changed(void *arg, const char *uid)
{
    struct daemon *daemon = arg;

    if (daemon->control)
        control_network_changed(daemon->control, uid);
}

static void balancer_changed(void *arg, const char *uid)
{
    struct daemon *daemon = arg;

    if (daemon->control)
        control_balancer_changed(daemon->control, uid);
}

static void fill(void *arg, const struct kind *kind, json_t *object)
{
    struct daemon *daemon = arg;

    if (daemon->control)
        control_fill(daemon->control, kind, object);
}

static void admit(void *arg, const struct kind *kind, json_t *object, const json_t *old,
                  struct causes *causes)
{
    struct daemon *daemon = arg;

    if (daemon->control)
        control_admit(daemon->control, kind, object, old, causes);
}

static const char *finalizer(void *arg, const struct kind *kind) { return control_finalizer(kind); }

static json_t *user_of_token(void *arg, const char *token)
{
    return token_user(((struct daemon *)arg)->store, token);
}

static void audit(void *arg, const json_t *entry) { audit_write(((struct daemon *)arg)->audit, entry); }

static int make_directories(const struct config *config, struct err *err)
{
    /* Machines' users and dnsmasq's pass through on the way to their own; what is private below
     * has its own mode. */
    if (dir_make(config->state_dir, 0755, err) < 0 || dir_make(config->run_dir, 0755, err) < 0)
        return -1;
    return 0;
}

/* One daemon per state directory. The lock goes with the process, however it ends. */
static int take_lock(struct daemon *daemon, struct err *err)
{
    auto_free char *path = str_printf("%s/lock", daemon->config.state_dir);

    daemon->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (daemon->lock_fd < 0)
        return err_errno(err, "open %s", path);
    if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_CONFLICT, "another virgad runs with state directory %s",
                       daemon->config.state_dir);
    return 0;
}

static int open_store(struct daemon *daemon, struct err *err)
{
    auto_free char *path = str_printf("%s/store", daemon->config.state_dir);
    struct store_sqlite_options options = { .directory = path,
                                            .backup_interval_ms = STORE_BACKUP_INTERVAL_MS };

    if (dir_make(path, 0700, err) < 0)
        return -1;
    daemon->store = store_sqlite_open(daemon->loop, &options, err);
    return daemon->store ? 0 : -1;
}

static int open_compute(struct daemon *daemon, struct err *err)
{
    auto_free char *state = str_printf("%s/machines", daemon->config.state_dir);
    auto_free char *run = str_printf("%s/machines", daemon->config.run_dir);
    auto_free char *memory = memory_dir_of(&daemon->config);
    struct compute_setup setup = { .loop = daemon->loop,
                                   .workers = daemon->workers,
                                   .state_dir = state,
                                   .run_dir = run,
                                   .memory_dir = memory,
                                   .uid_base = (uid_t)daemon->config.uid_base,
                                   .changed = machine_changed,
                                   .arg = daemon };

    if (dir_make(state, 0711, err) < 0 || dir_make(run, 0711, err) < 0)
        return -1;
    daemon->compute = compute_qemu.open(&setup, err);
    return daemon->compute ? 0 : err_wrap(err, "machines");
}

static bool has_networks(const struct daemon *daemon)
{
    char **uids = daemon->network->ops->list(daemon->network);
    bool found = uids[0] != NULL;

    network_names_free(uids);
    return found;
}

static int open_network(struct daemon *daemon, struct err *err)
{
    auto_free char *state = str_printf("%s/networks", daemon->config.state_dir);
    auto_free char *run = str_printf("%s/networks", daemon->config.run_dir);
    struct network_setup setup = { .loop = daemon->loop,
                                   .workers = daemon->workers,
                                   .state_dir = state,
                                   .run_dir = run,
                                   .prefix = daemon->config.network_prefix,
                                   .changed = network_changed,
                                   .arg = daemon };

    if (dir_make(state, 0755, err) < 0 || dir_make(run, 0755, err) < 0)
        return -1;
    daemon->network = network_netns.open(&setup, err);
    if (!daemon->network)
        return err_wrap(err, "networks");
    if (daemon->config.dismantle)
        return 0;
    return network_prefix_keep(&daemon->config, has_networks(daemon), err);
}

static int open_balancer(struct daemon *daemon, struct err *err)
{
    auto_free char *run = str_printf("%s/balancers", daemon->config.run_dir);
    struct balancer_setup setup = { .loop = daemon->loop,
                                    .run_dir = run,
                                    .uid_base = (uid_t)(daemon->config.uid_base + BALANCER_UID_OFFSET),
                                    .changed = balancer_changed,
                                    .arg = daemon };

    daemon->balancer = balancer_haproxy.open(&setup, err);
    return daemon->balancer ? 0 : err_wrap(err, "load balancers");
}

static int open_storage(struct daemon *daemon, struct err *err)
{
    auto_free char *images = str_printf("%s/images", daemon->config.state_dir);
    auto_free char *run = str_printf("%s/storage", daemon->config.run_dir);
    struct storage_setup setup = { .loop = daemon->loop,
                                   .workers = daemon->workers,
                                   .image_dir = images,
                                   .run_dir = run,
                                   .convert_uid = (uid_t)(daemon->config.uid_base + CONVERT_UID_OFFSET) };

    if (dir_make(images, 0700, err) < 0 || dir_make(run, 0711, err) < 0)
        return -1;
    daemon->storage = storage_directory.open(&setup, err);
    return daemon->storage ? 0 : err_wrap(err, "storage");
}

static int open_api(struct daemon *daemon, struct err *err)
{
    auto_free char *tls = str_printf("%s/tls", daemon->config.state_dir);
    bool listens = !str_equal(daemon->config.listen, "none");
    struct api_options options = { .loop = daemon->loop,
                                   .workers = daemon->workers,
                                   .store = daemon->store,
                                   .unix_socket = daemon->config.socket,
                                   .listen = listens ? daemon->config.listen : NULL,
                                   .tls_dir = tls,
                                   .server_names = (const char *const *)daemon->config.server_names,
                                   .host_name = daemon->config.host_name,
                                   .fill = fill,
                                   .admit = admit,
                                   .finalizer = finalizer,
                                   .token = user_of_token,
                                   .audit = audit,
                                   .hook_arg = daemon };

    if (dir_make(tls, 0700, err) < 0)
        return -1;
    daemon->api = api_new(&options, err);
    return daemon->api ? 0 : err_wrap(err, "API");
}

static int open_control(struct daemon *daemon, struct err *err)
{
    struct control_setup setup = { .loop = daemon->loop,
                                   .workers = daemon->workers,
                                   .store = daemon->store,
                                   .host_name = daemon->config.host_name,
                                   .state_dir = daemon->config.state_dir,
                                   .compute = daemon->compute,
                                   .network = daemon->network,
                                   .storage = daemon->storage,
                                   .balancer = daemon->balancer,
                                   .host_cpus = daemon->config.cpus,
                                   .host_memory_bytes = daemon->config.memory_bytes,
                                   .usage_interval_ms = daemon->config.usage_interval_ms };

    auto_free char *histories = str_printf("%s/autoscalers", daemon->config.state_dir);
    if (dir_make(histories, 0700, err) < 0)
        return -1;
    daemon->control = control_new(&setup, err);
    return daemon->control ? 0 : err_wrap(err, "controllers");
}

static void bind_all(struct daemon *daemon)
{
    bind_consoles(daemon);
    bind_agent(daemon);
    bind_ports(daemon);
    bind_images(daemon);
    bind_metrics(daemon);
    bind_host(daemon);
    bind_credentials(daemon);
    bind_audit(daemon);
    bind_autoscalers(daemon);
}

static int open_loop(struct daemon *daemon, struct err *err)
{
    if (make_directories(&daemon->config, err) < 0 || take_lock(daemon, err) < 0)
        return -1;
    daemon->loop = loop_new(err);
    if (!daemon->loop)
        return -1;
    daemon->workers = worker_pool_new(daemon->loop, WORKER_THREADS);
    return 0;
}

int daemon_open_drivers(struct daemon *daemon, struct err *err)
{
    if (open_loop(daemon, err) < 0 || network_prefix_take(&daemon->config, err) < 0 ||
        open_compute(daemon, err) < 0)
        return -1;
    return open_network(daemon, err) < 0 ? -1 : open_balancer(daemon, err);
}

int daemon_open(struct daemon *daemon, struct err *err)
{
    if (open_loop(daemon, err) < 0)
        return -1;
    daemon->audit = audit_open(daemon->config.state_dir, err);
    if (!daemon->audit)
        return -1;
    if (open_store(daemon, err) < 0 || open_compute(daemon, err) < 0 ||
        open_network(daemon, err) < 0 || open_balancer(daemon, err) < 0 ||
        open_storage(daemon, err) < 0)
        return -1;
    /* The API sets the store's index hook, which has to be there before the controllers write. */
    if (open_api(daemon, err) < 0)
        return -1;
    bind_all(daemon);
    return open_control(daemon, err);
}

void daemon_close_drivers(struct daemon *daemon)
{
    if (daemon->storage)
        daemon->storage->ops->close(daemon->storage);
    if (daemon->network)
        daemon->network->ops->close(daemon->network);
    if (daemon->balancer)
        daemon->balancer->ops->close(daemon->balancer);
    if (daemon->compute)
        daemon->compute->ops->close(daemon->compute);
    daemon->storage = NULL;
    daemon->network = NULL;
    daemon->balancer = NULL;
    daemon->compute = NULL;
}

void daemon_close(struct daemon *daemon)
{
    api_free(daemon->api);
    control_free(daemon->control);
    daemon_close_drivers(daemon);
    if (daemon->store)
        store_free(daemon->store);
    audit_close(daemon->audit);
    worker_pool_free(daemon->workers);
    loop_free(daemon->loop);
    if (daemon->lock_fd >= 0)
        close(daemon->lock_fd);
}
