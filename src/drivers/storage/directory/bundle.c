/* drivers/storage/directory/bundle.c - reads a bundle's manifest. */
#include "drivers/storage/directory/bundle.h"
#include "base/json.h"
#include <string.h>

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

/* A text field into 'to'; absent leaves "". */
static int take_text(const json_t *object, const char *path, char *to, size_t size, struct err *err)
{
    const json_t *value = json_at(object, path);
    const char *text = json_string_value(value);

    if (!value)
        return 0;
    if (!text)
        return err_set(err, ERR_INVALID, "%s is no text", path);
    if (strlen(text) >= size)
        return err_set(err, ERR_INVALID, "%s is longer than %zu bytes", path, size - 1);
    strcpy(to, text);
    return 0;
}

static int take_name(const json_t *object, const char *path, char to[BUNDLE_NAME_SIZE],
                     struct err *err)
{
    if (take_text(object, path, to, BUNDLE_NAME_SIZE, err) < 0)
        return -1;
    if (strchr(to, '/') || to[0] == '.' || !is_printable(to))
        return err_set(err, ERR_INVALID, "%s: \"%.80s\" is no plain file name", path,
                       is_printable(to) ? to : "?");
    return 0;
}

static int check(const struct bundle *bundle, struct err *err)
{
    if (!bundle->disk[0])
        return err_set(err, ERR_INVALID, "disk is missing");
    if (bundle->initrd[0] && !bundle->kernel[0])
        return err_set(err, ERR_INVALID, "boot.initrd needs boot.kernel");
    if (!is_printable(bundle->command_line))
        return err_set(err, ERR_INVALID, "boot.commandLine has control characters");
    if (strcmp(bundle->disk, "image.json") == 0 || strcmp(bundle->disk, bundle->kernel) == 0 ||
        strcmp(bundle->disk, bundle->initrd) == 0 ||
        (bundle->kernel[0] && strcmp(bundle->kernel, bundle->initrd) == 0) ||
        strcmp(bundle->kernel, "image.json") == 0 || strcmp(bundle->initrd, "image.json") == 0)
        return err_set(err, ERR_INVALID, "disk, boot.kernel and boot.initrd are not distinct");
    return 0;
}

static int decode(const json_t *object, struct bundle *bundle, struct err *err)
{
    char format[32] = "";

    if (!json_is_object(object))
        return err_set(err, ERR_INVALID, "not an object");
    if (take_text(object, "format", format, sizeof format, err) < 0)
        return -1;
    if (strcmp(format, "virga-bundle/1") != 0)
        return err_set(err, ERR_INVALID, "format is not \"virga-bundle/1\"");
    if (take_text(object, "architecture", bundle->architecture, sizeof bundle->architecture, err) <
            0 ||
        take_text(object, "os", bundle->os, sizeof bundle->os, err) < 0 ||
        take_text(object, "defaultUser", bundle->default_user, sizeof bundle->default_user, err) <
            0 ||
        take_name(object, "disk", bundle->disk, err) < 0 ||
        take_name(object, "boot.kernel", bundle->kernel, err) < 0 ||
        take_name(object, "boot.initrd", bundle->initrd, err) < 0 ||
        take_text(object, "boot.commandLine", bundle->command_line, sizeof bundle->command_line,
                  err) < 0)
        return -1;
    bundle->guest_agent = json_bool_at(object, "guestAgent", false);
    return check(bundle, err);
}

int bundle_parse(const char *text, size_t size, struct bundle *ret_bundle, struct err *err)
{
    auto_json json_t *object = json_parse(text, size, err);
    struct bundle bundle = { 0 };

    if (!object)
        err->code = ERR_INVALID;
    if (!object || decode(object, &bundle, err) < 0)
        return err_wrap(err, "image.json");
    *ret_bundle = bundle;
    return 0;
}
