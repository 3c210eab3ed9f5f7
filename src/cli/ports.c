/* cli/ports.c - see ports.h */
#include "cli/ports.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

int port_parse(const char *text, unsigned *ret_port, struct err *err)
{
    size_t length = strlen(text);
    long port = length <= 5 ? strtol(text, NULL, 10) : -1;

    if (length == 0 || strspn(text, "0123456789") != length || port < 0 || port > 65535)
        return err_set(err, ERR_BAD_REQUEST, "\"%s\" is no port: must be from 1 to 65535", text);
    *ret_port = (unsigned)port;
    return 0;
}

int port_pair_parse(const char *text, struct port_pair *ret_pair, struct err *err)
{
    const char *colon = strchr(text, ':'), *remote = colon ? colon + 1 : text;
    auto_free char *local = str_dup_part(text, colon ? (size_t)(colon - text) : strlen(text));
    struct port_pair pair = { 0 };

    if ((*local && port_parse(local, &pair.local, err) < 0) ||
        port_parse(remote, &pair.remote, err) < 0)
        return -1;
    if (pair.remote == 0)
        return err_set(err, ERR_BAD_REQUEST, "\"%s\": the guest's port must be from 1 to 65535", text);
    *ret_pair = pair;
    return 0;
}
