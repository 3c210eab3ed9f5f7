/* cli/cmd_describe.c - describe: an object's fields and its events. */
#include "cli/common.h"
#include "cli/manifest.h"
#include <stdio.h>

COMMAND(cmd_describe)
{
    const char *name;
    const struct kind *kind = find_named(session, arguments, NULL, &name, err);
    auto_json json_t *object = NULL;
    auto_buf struct buf text = { 0 };
    struct client *client;

    if (!kind || !(client = session_client(session, err)))
        return -1;
    auto_free char *path = object_path(session, kind, name, NULL);
    if (client_get(client, path, &object, err) < 0) {
        if (err->code == ERR_NOT_FOUND)
            session_hint(session, "\"virga get %s\" lists what there is", kind->plural);
        return -1;
    }
    json_remove_at(object, "metadata.managedFields");
    yaml_write(object, &text);
    fputs(text.bytes, stdout);
    putchar('\n');
    return print_events(session, object, err);
}
