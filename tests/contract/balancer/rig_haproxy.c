/* tests/contract/balancer/rig_haproxy.c - the contract suite on HAProxy: as root, in a network and
 * process namespace of the test's own. */
#include "own_world.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "rig.h"
#include "web.h"
#include "scratch.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UID_BASE = 1900000000 };

struct own {
    char *folder;
    struct web_server *servers[10];
    struct web_server *intruder;
};

static void open_driver(struct rig *rig)
{
    struct err err;

    rig->balancer = balancer_haproxy.open(&rig->setup, &err);
    if (!rig->balancer)
        check_fail(CHECK_HERE, "%s", err.text);
}

void rig_open(struct rig *rig)
{
    struct own *own = mem_new(struct own);
    char *folder = scratch_new();
    struct err err;

    CHECK_EQ(chmod(folder, 0755), 0);
    own->folder = folder;
    *rig = (struct rig){ .loop = loop_new(&err), .own = own };
    for (unsigned i = 1; i <= 9; i++)
        rig_set_alive(rig, i, true);
    rig->setup = (struct balancer_setup){ .loop = rig->loop,
                                          .run_dir = own->folder,
                                          .uid_base = UID_BASE,
                                          .changed = rig_changed,
                                          .arg = rig };
    open_driver(rig);
}

void rig_close(struct rig *rig)
{
    struct own *own = rig->own;
    char **uids = rig->balancer->ops->list(rig->balancer);

    CHECK(!uids[0]);
    balancer_uids_free(uids);
    rig->balancer->ops->close(rig->balancer);
    for (unsigned i = 1; i <= 9; i++)
        web_server_free(own->servers[i]);
    web_server_free(own->intruder);
    loop_free(rig->loop);
    if (rmdir(own->folder) < 0)
        check_fail(CHECK_HERE, "something is left in %s", own->folder);
    free(own->folder);
    free(own);
}

void rig_reopen(struct rig *rig)
{
    rig->balancer->ops->close(rig->balancer);
    open_driver(rig);
}

void rig_crash(struct rig *rig, const char *uid)
{
    CHECK_EQ(kill(rig->balancer->ops->observe(rig->balancer, uid)->pid, SIGKILL), 0);
}

void rig_take_port(struct rig *rig, uint16_t port)
{
    struct own *own = rig->own;

    own->intruder = web_server_new("intruder", port);
    CHECK(own->intruder != NULL);
}

struct web_server *rig_web_server(struct rig *rig, unsigned number)
{
    const struct own *own = rig->own;

    return own->servers[number];
}

void rig_set_alive(struct rig *rig, unsigned number, bool is_alive)
{
    struct own *own = rig->own;
    char name[16];

    (void)snprintf(name, sizeof name, "member-%u", number);
    if (is_alive && !own->servers[number]) {
        own->servers[number] = web_server_new(name, rig_member_port(number));
        CHECK(own->servers[number] != NULL);
    } else if (!is_alive) {
        web_server_free(take_pointer(own->servers[number]));
    }
}
