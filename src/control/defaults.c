/* control/defaults.c - the objects a fresh installation has. Made once: what an administrator
 * deletes stays deleted. */
#include "control/internal.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

#define MARK_NAME "defaults"

static void ignore(void *arg, const struct err *err) {} /* it exists already, or comes next time */
static const struct done nobody = { ignore, NULL };

static void make_namespace(struct control *control, const char *name)
{
    control_create(control, &kind_namespace,
                   json_pack("{s:{s:s},s:{s:[s]},s:{s:s}}", "metadata", "name", name, "spec", "finalizers",
                             "kubernetes", "status", "phase", "Active"),
                   nobody);
}

static void make_pool(struct control *control)
{
    auto_free char *path = str_printf("%s/pools/default", control->state_dir);

    control_create(control, &kind_storage_pool,
                   json_pack("{s:{s:s},s:{s:s,s:{s:s}}}", "metadata", "name", "default", "spec", "type",
                             "Directory", "directory", "path", path),
                   nobody);
}

static void make_network(struct control *control)
{
    control_create(control, &kind_network,
                   json_pack("{s:{s:s,s:s},s:{s:{s:s},s:{s:s},s:b}}", "metadata", "name", "default",
                             "namespace", "default", "spec", "ipv4", "subnet", "10.77.0.0/24", "ipv6",
                             "subnet", "fd77:77::/64", "nat", 1),
                   nobody);
}

static void make_mark(struct control *control)
{
    control_create(control, &kind_config_map,
                   json_pack("{s:{s:s,s:s},s:{s:s}}", "metadata", "name", MARK_NAME, "namespace",
                             SYSTEM_NAMESPACE, "data", "made", "true"),
                   nobody);
}

void defaults_make(struct control *control)
{
    auto_json json_t *mark = control_find(control, &kind_config_map, SYSTEM_NAMESPACE, MARK_NAME);
    auto_json json_t *host = control_find(control, &kind_host, NULL, control->host_name);

    if (!host)
        control_create(control, &kind_host,
                       json_pack("{s:{s:s}}", "metadata", "name", control->host_name), nobody);
    if (mark)
        return;
    make_namespace(control, "default");
    make_namespace(control, SYSTEM_NAMESPACE);
    make_pool(control);
    make_network(control);
    /* Written last: a crash before it makes the others again, which changes nothing. */
    make_mark(control);
}
