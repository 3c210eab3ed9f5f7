/* cli/cmd_simple.c - volume create, network create. */
#include "cli/common.h"

COMMAND(cmd_volume_create)
{
    const struct kind *kind = kind_find_name("volumes");
    const char *name = arguments->operands[0], *size = argument(arguments, "size");
    const char *pool = argument(arguments, "pool");
    auto_json json_t *object = new_object(session, kind, name, err);

    if (!object)
        return -1;
    if (!size)
        return usage_error(session, err, "--size is missing");
    json_set_at(object, "spec.size", json_string(size));
    if (pool)
        json_set_at(object, "spec.pool", json_string(pool));
    return create_and_wait(session, kind, object, arguments, err);
}

COMMAND(cmd_network_create)
{
    const struct kind *kind = kind_find_name("networks");
    const char *name = arguments->operands[0], *ipv4 = argument(arguments, "ipv4"), *ipv6 = argument(arguments, "ipv6");
    auto_json json_t *object = new_object(session, kind, name, err);

    if (!object)
        return -1;
    if (ipv4)
        json_set_at(object, "spec.ipv4.subnet", json_string(ipv4));
    if (ipv6)
        json_set_at(object, "spec.ipv6.subnet", json_string(ipv6));
    return create_and_wait(session, kind, object, arguments, err);
}
