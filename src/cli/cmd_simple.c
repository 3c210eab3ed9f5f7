/* cli/cmd_simple.c - volume create, network create. */
#include "cli/common.h"

static int make(struct session *session, const struct kind *kind, const json_t *object,
                const char *name, const struct arguments *arguments, struct err *err)
{
    if (create_object(session, kind, object, NULL, err) < 0)
        return -1;
    if (!argument_given(arguments, "no-wait") &&
        wait_for_phase(session, kind, name, "Ready", WAIT_MS_DEFAULT, err) < 0)
        return -1;
    print_done(kind, name, "created");
    return 0;
}

COMMAND(cmd_volume_create)
{
    const struct kind *kind = kind_find_name("volumes");
    const char *name = arguments->operands[0], *size = argument(arguments, "size");
    const char *pool = argument(arguments, "pool");
    auto_json json_t *object = new_object(kind, name);

    if (!size)
        return usage_error(session, err, "--size is missing");
    json_set_at(object, "spec.size", json_string(size));
    if (pool)
        json_set_at(object, "spec.pool", json_string(pool));
    return make(session, kind, object, name, arguments, err);
}

COMMAND(cmd_network_create)
{
    const struct kind *kind = kind_find_name("networks");
    const char *name = arguments->operands[0], *ipv4 = argument(arguments, "ipv4"), *ipv6 = argument(arguments, "ipv6");
    auto_json json_t *object = new_object(kind, name);

    if (ipv4)
        json_set_at(object, "spec.ipv4.subnet", json_string(ipv4));
    if (ipv6)
        json_set_at(object, "spec.ipv6.subnet", json_string(ipv6));
    return make(session, kind, object, name, arguments, err);
}
