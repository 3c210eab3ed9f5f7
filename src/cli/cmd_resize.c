/* cli/cmd_resize.c - resize: processors and memory of instances, while they run. */
#include "cli/common.h"
#include "base/str.h"
#include <stdlib.h>

static const struct size_option {
    const char *option, *field;
    bool is_count;
} size_options[] = {
    { "cpus", "cpus", true },
    { "max-cpus", "maxCPUs", true },
    { "memory", "memory", false },
    { "max-memory", "maxMemory", false },
};

int add_size(json_t *spec, const char *option, const char *value, bool *ret_is_size, struct err *err)
{
    const struct size_option *row = NULL;
    char *end;
    long count = strtol(value, &end, 10);

    for (size_t i = 0; i < sizeof size_options / sizeof size_options[0]; i++)
        if (str_equal(size_options[i].option, option))
            row = &size_options[i];
    *ret_is_size = row != NULL;
    if (!row)
        return 0;
    if (row->is_count && (*end || end == value || count < 1))
        return err_set(err, ERR_BAD_REQUEST, "--%s %s: must be a number from 1", option, value);
    json_object_set_new(spec, row->field, row->is_count ? json_integer(count) : json_string(value));
    return 0;
}

struct resize {
    const struct kind *kind;
    json_t *patch;
    json_t *patched; /* names, as keys */
};

static int ask(struct session *session, const char *name, void *arg, struct err *err)
{
    struct resize *resize = arg;

    if (merge_patch(session, resize->kind, name, resize->patch, err) < 0) {
        if (err->code == ERR_NOT_FOUND)
            session_hint(session, "\"virga ls\" lists what there is");
        return -1;
    }
    json_object_set_new(resize->patched, name, json_true());
    return 0;
}

static int await(struct session *session, const char *name, void *arg, struct err *err)
{
    struct resize *resize = arg;

    if (!json_object_get(resize->patched, name))
        return 0;
    if (wait_for_size(session, resize->kind, name, WAIT_MS_DEFAULT, err) < 0)
        return -1;
    print_done(resize->kind, name, "resized");
    return 0;
}

COMMAND(cmd_resize)
{
    auto_json json_t *patched = json_object(), *patch = json_pack("{s:{}}", "spec");
    struct resize resize = { kind_find_name("instances"), patch, patched };
    bool is_size;
    int asked, awaited = 0;

    for (size_t i = 0; i < arguments->option_count; i++)
        if (add_size(json_object_get(patch, "spec"), arguments->options[i].name, arguments->options[i].value, &is_size,
                     err) < 0) {
            session->is_usage = err->code == ERR_BAD_REQUEST;
            return -1;
        }
    if (!json_object_size(json_object_get(patch, "spec")))
        return usage_error(session, err, "give --cpus, --memory, or both");
    asked = each_name(session, arguments->operands, arguments->operand_count, ask, &resize, err);
    if (!argument_given(arguments, "no-wait"))
        awaited = each_name(session, arguments->operands, arguments->operand_count, await, &resize, err);
    return asked < 0 ? asked : awaited;
}
