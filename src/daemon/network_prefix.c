/* daemon/network_prefix.c - STATE/network-prefix. */
#include "daemon/network_prefix.h"
#include "base/files.h"
#include "base/log.h"
#include "base/str.h"
#include <string.h>

enum { FILE_SIZE_MAX = 64 };

static char *path_of(const struct config *config)
{
    return str_printf("%s/network-prefix", config->state_dir);
}

/* ERR_NOT_FOUND: nobody has kept one yet. */
static int read_kept(const struct config *config, struct buf *text, struct err *err)
{
    auto_free char *path = path_of(config);

    if (file_read(path, FILE_SIZE_MAX, text, err) < 0)
        return -1;
    buf_add_char(text, '\0'); /* so that an empty file is a text, too */
    text->bytes[strcspn(text->bytes, "\n")] = '\0';
    return 0;
}

int network_prefix_take(struct config *config, struct err *err)
{
    auto_buf struct buf kept = { 0 };

    if (read_kept(config, &kept, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if (str_equal(kept.bytes, config->network_prefix))
        return 0;
    if (config_set(config, "network-prefix", kept.bytes, err) < 0)
        return err_wrap(err, "%s/network-prefix", config->state_dir);
    log_info("networks were made with network-prefix %s", kept.bytes);
    return 0;
}

static int write_kept(const struct config *config, struct err *err)
{
    auto_free char *path = path_of(config);
    auto_free char *text = str_printf("%s\n", config->network_prefix);

    return file_write_atomic(path, text, strlen(text), 0644, err);
}

int network_prefix_keep(const struct config *config, bool has_networks, struct err *err)
{
    auto_buf struct buf kept = { 0 };
    int found = read_kept(config, &kept, err);

    if (found < 0 && err->code != ERR_NOT_FOUND)
        return -1;
    if (found == 0 && str_equal(kept.bytes, config->network_prefix))
        return 0;
    if (found == 0 && has_networks)
        return err_set(err, ERR_CONFLICT,
                       "the networks of state directory %s were made with --network-prefix %s, not %s: "
                       "start with that, or first end all machines and networks by \"virgad --dismantle\"",
                       config->state_dir, kept.bytes, config->network_prefix);
    return write_kept(config, err);
}
