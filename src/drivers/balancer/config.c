/* drivers/balancer/config.c - the values of the balancer contract: copying, checking, freeing. */
#include "drivers/balancer.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

static void texts_free(char **texts)
{
    for (char **text = texts; text && *text; text++)
        free(*text);
    free(texts);
}

static char **texts_copy(char *const *texts)
{
    size_t count = 0;
    char **copy;

    if (!texts)
        return NULL;
    while (texts[count])
        count++;
    copy = mem_array(count + 1, sizeof copy[0]);
    for (size_t i = 0; i < count; i++)
        copy[i] = str_dup(texts[i]);
    copy[count] = NULL;
    return copy;
}

/* --- freeing --- */

static void listener_done(struct balancer_listener *listener)
{
    for (size_t i = 0; i < listener->route_count; i++) {
        texts_free(listener->routes[i].hosts);
        texts_free(listener->routes[i].paths);
    }
    free(listener->routes);
    if (listener->certificate)
        explicit_bzero(listener->certificate, strlen(listener->certificate));
    free(listener->certificate);
}

void balancer_config_free(struct balancer_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->listener_count; i++)
        listener_done(&config->listeners[i]);
    for (size_t i = 0; i < config->backend_count; i++) {
        free(config->backends[i].cookie);
        free(config->backends[i].health.path);
        free(config->backends[i].health.host);
        free(config->backends[i].members);
    }
    free(config->listeners);
    free(config->backends);
    free(config->uid);
    free(config->name);
    free(config);
}

/* --- copying --- */

static void *copy_array(const void *items, size_t count, size_t size)
{
    void *copy = mem_array(count, size);

    if (count)
        memcpy(copy, items, count * size);
    return copy;
}

static void listener_copy(struct balancer_listener *copy)
{
    copy->certificate = str_dup(copy->certificate);
    copy->routes = copy_array(copy->routes, copy->route_count, sizeof copy->routes[0]);
    for (size_t i = 0; i < copy->route_count; i++) {
        copy->routes[i].hosts = texts_copy(copy->routes[i].hosts);
        copy->routes[i].paths = texts_copy(copy->routes[i].paths);
    }
}

static void backend_copy(struct balancer_backend *copy)
{
    copy->cookie = str_dup(copy->cookie);
    copy->health.path = str_dup(copy->health.path);
    copy->health.host = str_dup(copy->health.host);
    copy->members = copy_array(copy->members, copy->member_count, sizeof copy->members[0]);
}

struct balancer_config *balancer_config_copy(const struct balancer_config *config)
{
    struct balancer_config *copy = mem_copy(config, sizeof *config);

    copy->uid = str_dup(config->uid);
    copy->name = str_dup(config->name);
    copy->listeners =
        copy_array(config->listeners, config->listener_count, sizeof copy->listeners[0]);
    copy->backends = copy_array(config->backends, config->backend_count, sizeof copy->backends[0]);
    for (size_t i = 0; i < copy->listener_count; i++)
        listener_copy(&copy->listeners[i]);
    for (size_t i = 0; i < copy->backend_count; i++)
        backend_copy(&copy->backends[i]);
    return copy;
}

/* --- checking: everything that is written into a configuration is one plain word --- */

static bool is_plain(const char *text, const char *extra)
{
    if (str_is_empty(text))
        return false;
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr(extra, *text)))
            return false;
    return true;
}

static int word_check(const char *what, const char *text, const char *extra, struct err *err)
{
    if (!is_plain(text, extra))
        return err_set(err, ERR_INVALID, "%s must be letters, digits and any of \"%s\"", what,
                       extra);
    return 0;
}

static int words_check(const char *what, char *const *texts, const char *extra, struct err *err)
{
    for (char *const *text = texts; text && *text; text++)
        if (word_check(what, *text, extra, err) < 0)
            return -1;
    return 0;
}

static const struct balancer_backend *find_backend(const struct balancer_config *config,
                                                   const char *name)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (str_equal(config->backends[i].name, name))
            return &config->backends[i];
    return NULL;
}

static int target_check(const struct balancer_config *config,
                        const struct balancer_listener *listener, const char *name, struct err *err)
{
    const struct balancer_backend *backend = find_backend(config, name);

    if (!backend)
        return err_set(err, ERR_INVALID, "there is no backend \"%s\"", name);
    if (backend->is_http != (listener->protocol != BALANCER_TCP))
        return err_set(err, ERR_INVALID, "backend \"%s\" is of another protocol", name);
    return 0;
}

static int listener_check(const struct balancer_config *config,
                          const struct balancer_listener *listener, struct err *err)
{
    if (word_check("its name", listener->name, "-_.", err) < 0)
        return -1;
    if (!listener->port || !listener->addr.family)
        return err_set(err, ERR_INVALID, "address and port must be given");
    if ((listener->protocol == BALANCER_HTTPS) != (listener->certificate != NULL))
        return err_set(err, ERR_INVALID, "HTTPS, and only it, needs a certificate");
    if (listener->certificate && strlen(listener->certificate) > BALANCER_CERTIFICATE_SIZE_MAX)
        return err_set(err, ERR_INVALID, "the certificate is too large");
    if (target_check(config, listener, listener->backend, err) < 0)
        return -1;
    for (size_t i = 0; i < listener->route_count; i++) {
        const struct balancer_route *route = &listener->routes[i];
        if (words_check("a host", route->hosts, "-.*", err) < 0 ||
            words_check("a path", route->paths, "/-._~!&()*+,;=:@", err) < 0 ||
            target_check(config, listener, route->backend, err) < 0)
            return -1;
    }
    return 0;
}

static int members_check(const struct balancer_backend *backend, struct err *err)
{
    if (backend->member_count > BALANCER_MEMBERS_MAX)
        return err_set(err, ERR_INVALID, "more than %d members", BALANCER_MEMBERS_MAX);
    for (size_t i = 0; i < backend->member_count; i++) {
        const struct balancer_member *member = &backend->members[i];
        if (word_check("a member's id", member->id, "-._:", err) < 0)
            return -1;
        if (!member->port || !member->addr.family)
            return err_set(err, ERR_INVALID, "member %s has no address or port", member->id);
    }
    return 0;
}

static int backend_check(const struct balancer_backend *backend, struct err *err)
{
    if (word_check("its name", backend->name, "-_.", err) < 0 || members_check(backend, err) < 0)
        return -1;
    if (backend->cookie && word_check("the cookie's name", backend->cookie, "-_.", err) < 0)
        return -1;
    if (backend->health.type == BALANCER_CHECK_AGENT && !backend->health.port)
        return err_set(err, ERR_INVALID, "an agent needs a port");
    if (backend->health.type != BALANCER_CHECK_HTTP)
        return 0;
    if (backend->health.host && word_check("the host checked", backend->health.host, "-.", err) < 0)
        return -1;
    return word_check("the path checked", backend->health.path, "/-._~!&()*+,;=:@?", err);
}

int balancer_config_check(const struct balancer_config *config, struct err *err)
{
    if (!is_plain(config->uid, "-") || strlen(config->uid) >= BALANCER_NAME_SIZE)
        return err_set(err, ERR_INVALID, "balancer uid must be letters, digits and '-'");
    if (word_check("its name", config->name, "-_./", err) < 0)
        return -1;
    if (config->listener_count < 1 || config->listener_count > BALANCER_LISTENERS_MAX ||
        config->backend_count < 1 || config->backend_count > BALANCER_BACKENDS_MAX)
        return err_set(err, ERR_INVALID, "there must be 1 to %d listeners and 1 to %d backends",
                       BALANCER_LISTENERS_MAX, BALANCER_BACKENDS_MAX);
    for (size_t i = 0; i < config->backend_count; i++)
        if (backend_check(&config->backends[i], err) < 0)
            return err_wrap(err, "backend \"%s\"", config->backends[i].name);
    for (size_t i = 0; i < config->listener_count; i++)
        if (listener_check(config, &config->listeners[i], err) < 0)
            return err_wrap(err, "listener \"%s\"", config->listeners[i].name);
    return 0;
}

/* --- what is said of balancers --- */

void balancer_uids_free(char **uids) { texts_free(uids); }

void balancer_status_done(struct balancer_status *status)
{
    for (size_t i = 0; i < status->backend_count; i++)
        free(status->backends[i].members);
    free(status->backends);
    free(status->listeners);
    *status = (struct balancer_status){ 0 };
}

struct balancer_backend_status *balancer_status_backend(const struct balancer_status *status,
                                                        const char *name)
{
    for (size_t i = 0; i < status->backend_count; i++)
        if (str_equal(status->backends[i].name, name))
            return &status->backends[i];
    return NULL;
}

struct balancer_member_status *balancer_status_member(const struct balancer_backend_status *backend,
                                                      const char *id)
{
    for (size_t i = 0; backend && i < backend->member_count; i++)
        if (str_equal(backend->members[i].id, id))
            return &backend->members[i];
    return NULL;
}
