/* daemon/config.c - settings from the table below, the file and the command line. */
#include "daemon/config.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/names.h"
#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_FILE "/etc/virga/virgad.conf"

enum value_type { VALUE_PATH, VALUE_NAME, VALUE_LIST, VALUE_COUNT, VALUE_BYTES, VALUE_DURATION,
                  VALUE_LISTEN, VALUE_PREFIX, VALUE_LEVEL };

struct setting {
    const char *key;
    enum value_type type;
    size_t offset;
    const char *fallback;
    const char *doc;
    int64_t min, max; /* of numbers and durations (ms); both 0: any that is not negative */
};

/* Machines run as 65536 users from here on, and load balancers as the 4096 after them: never as root or a user of the system's, and below
 * the last id, which stands for none. */
enum { UID_COUNT = 65536 };
#define UID_BASE_MAX (UINT32_MAX - 2 * (int64_t)UID_COUNT)

static const struct setting settings[] = {
    { "state-dir", VALUE_PATH, offsetof(struct config, state_dir), "/var/lib/virga",
      "directory for what must survive a reboot" },
    { "run-dir", VALUE_PATH, offsetof(struct config, run_dir), "/run/virga",
      "directory for sockets and network namespaces" },
    { "memory-dir", VALUE_PATH, offsetof(struct config, memory_dir), NULL,
      "directory for the memory of frozen machines, best on a tmpfs (default: one below /dev/shm)" },
    { "socket", VALUE_PATH, offsetof(struct config, socket), "/run/virga/api.sock",
      "unix socket of the API; root needs no credentials there" },
    { "listen", VALUE_LISTEN, offsetof(struct config, listen), "127.0.0.1:7443",
      "address and port of the API over TLS, or none" },
    { "host-name", VALUE_NAME, offsetof(struct config, host_name), NULL,
      "name of this host's Host object (default: the system's host name)" },
    { "server-names", VALUE_LIST, offsetof(struct config, server_names), "",
      "further names and addresses for the server's certificate, separated by commas" },
    { "cpus", VALUE_COUNT, offsetof(struct config, cpus), "0", "processors to offer (0: all)" },
    { "memory", VALUE_BYTES, offsetof(struct config, memory_bytes), "0",
      "memory to offer, for example 48Gi (0: all)" },
    { "uid-base", VALUE_COUNT, offsetof(struct config, uid_base), "1879048192",
      "first of the user ids that machines (65536) and load balancers (4096) run as", UID_COUNT, UID_BASE_MAX },
    { "usage-interval", VALUE_DURATION, offsetof(struct config, usage_interval_ms), "10s",
      "how often usage is read", 100, 24LL * 3600 * 1000 },
    { "network-prefix", VALUE_PREFIX, offsetof(struct config, network_prefix), "vg",
      "beginning of the names of interfaces and tables in the host; stays while there are networks" },
    { "log-level", VALUE_LEVEL, offsetof(struct config, log_level), "info",
      "error, warning, info or debug" },
};
enum { SETTINGS_COUNT = sizeof settings / sizeof settings[0] };

static void replace_text(struct config *config, const struct setting *setting, const char *value)
{
    char **place = (char **)((char *)config + setting->offset);

    free(*place);
    *place = str_dup(value);
}

static void free_list(char **list)
{
    for (char **item = list; item && *item; item++)
        free(*item);
    free(list);
}

static void replace_list(struct config *config, const struct setting *setting, const char *value)
{
    char ***place = (char ***)((char *)config + setting->offset);
    size_t count = 0;

    free_list(*place);
    *place = mem_array(strlen(value) / 2 + 2, sizeof(char *));
    for (const char *at = value; *at;) {
        size_t skip = strspn(at, ", \t"), length = strcspn(at + skip, ", \t");
        if (length)
            (*place)[count++] = str_dup_part(at + skip, length);
        at += skip + length;
    }
}

/* "ADDRESS:PORT"; whether the address is one shows when it is listened on. */
static bool is_listen(const char *value)
{
    const char *colon = strrchr(value, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

    return str_equal(value, "none") || (colon > value && digits >= 1 && digits <= 5 &&
                                        !colon[1 + digits] && atoi(colon + 1) <= 65535);
}

static int check_text(const struct setting *setting, const char *value, struct err *err)
{
    if (setting->type == VALUE_PATH && value[0] != '/')
        return err_set(err, ERR_INVALID, "%s: \"%s\" must be an absolute path", setting->key, value);
    if (setting->type == VALUE_LISTEN && !is_listen(value))
        return err_set(err, ERR_INVALID, "%s: \"%s\" must be ADDRESS:PORT or none", setting->key, value);
    if (setting->type == VALUE_PREFIX &&
        (strlen(value) < 1 || strlen(value) > 4 || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(value)))
        return err_set(err, ERR_INVALID, "%s: \"%s\" must be 1 to 4 of a-z0-9", setting->key, value);
    if (setting->type == VALUE_LEVEL && !str_equal(value, "error") && !str_equal(value, "warning") &&
        !str_equal(value, "info") && !str_equal(value, "debug"))
        return err_set(err, ERR_INVALID, "%s: \"%s\" must be error, warning, info or debug", setting->key, value);
    if (setting->type == VALUE_NAME && !name_is_subdomain(value))
        return err_set(err, ERR_INVALID, "%s: \"%s\" %s", setting->key, value, NAME_SUBDOMAIN_RULE);
    return 0;
}

static int outside(const struct setting *setting, const char *value, struct err *err)
{
    char min[32], max[32];

    if (setting->type != VALUE_DURATION)
        return err_set(err, ERR_INVALID, "%s: \"%s\" must be from %" PRId64 " to %" PRId64,
                       setting->key, value, setting->min, setting->max);
    duration_format(setting->min, min, sizeof min);
    duration_format(setting->max, max, sizeof max);
    return err_set(err, ERR_INVALID, "%s: \"%s\" must be from %s to %s", setting->key, value, min,
                   max);
}

static int set_number(struct config *config, const struct setting *setting, const char *value,
                      struct err *err)
{
    int64_t number;
    int result = setting->type == VALUE_DURATION ? duration_parse(value, &number, err)
                                                 : quantity_parse(value, &number, err);

    if (result < 0)
        return err_wrap(err, "%s: \"%s\"", setting->key, value);
    if (number < 0)
        return err_set(err, ERR_INVALID, "%s: \"%s\" must not be negative", setting->key, value);
    if (setting->max && (number < setting->min || number > setting->max))
        return outside(setting, value, err);
    *(int64_t *)((char *)config + setting->offset) = number;
    return 0;
}

static int set_value(struct config *config, const struct setting *setting, const char *value,
                     struct err *err)
{
    if (setting->type == VALUE_COUNT || setting->type == VALUE_BYTES || setting->type == VALUE_DURATION)
        return set_number(config, setting, value, err);
    if (check_text(setting, value, err) < 0)
        return -1;
    if (setting->type == VALUE_LIST)
        replace_list(config, setting, value);
    else
        replace_text(config, setting, value);
    return 0;
}

static const struct setting *find_setting(const char *key, struct err *err)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (str_equal(settings[i].key, key))
            return &settings[i];
    (void)err_set(err, ERR_INVALID, "unknown setting \"%s\" (virgad --help lists them)", key);
    return NULL;
}

int config_set(struct config *config, const char *key, const char *value, struct err *err)
{
    const struct setting *setting = find_setting(key, err);

    return setting ? set_value(config, setting, value, err) : -1;
}

void config_default(struct config *ret_config)
{
    struct err err;
    char host_name[256] = "localhost";

    *ret_config = (struct config){ 0 };
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (settings[i].fallback && set_value(ret_config, &settings[i], settings[i].fallback, &err) < 0)
            abort();
    gethostname(host_name, sizeof host_name - 1);
    for (char *c = host_name; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
    ret_config->host_name = str_dup(name_is_subdomain(host_name) ? host_name : "host");
}

void config_done(struct config *config)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        void *place = (char *)config + settings[i].offset;
        if (settings[i].type == VALUE_LIST)
            free_list(*(char ***)place);
        else if (settings[i].type != VALUE_COUNT && settings[i].type != VALUE_BYTES &&
                 settings[i].type != VALUE_DURATION)
            free(*(char **)place);
    }
    *config = (struct config){ 0 };
}

enum log_level config_log_level(const struct config *config)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };

    for (int i = 0; i < 4; i++)
        if (str_equal(config->log_level, names[i]))
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

/* --- the file --- */

static char *trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    for (end = text + strlen(text); end > text && isspace((unsigned char)end[-1]); end--)
        end[-1] = '\0';
    return text;
}

static int read_line(struct config *config, char *line, struct err *err)
{
    char *equals;

    line[strcspn(line, "#")] = '\0';
    line = trim(line);
    if (!line[0])
        return 0;
    equals = strchr(line, '=');
    if (!equals)
        return err_set(err, ERR_INVALID, "\"%s\" must be \"key = value\"", line);
    *equals = '\0';
    return config_set(config, trim(line), trim(equals + 1), err);
}

static int read_file(struct config *config, const char *path, bool must_exist, struct err *err)
{
    auto_buf struct buf text = { 0 };
    char *rest, *line;
    unsigned number = 0;

    if (!must_exist && access(path, F_OK) < 0)
        return 0;
    if (file_read(path, 1024 * 1024, &text, err) < 0)
        return -1;
    rest = text.bytes;
    while (rest && (line = strsep(&rest, "\n"))) {
        number++;
        if (read_line(config, line, err) < 0)
            return err_wrap(err, "%s line %u", path, number);
    }
    return 0;
}

/* --- the command line --- */

static void print_help(void)
{
    puts("Usage: virgad [--config FILE] [--SETTING VALUE]...\n"
         "\n"
         "The daemon of Virga: runs virtual machines, networks and disks on this host and serves\n"
         "the API. Machines outlive it: stop or kill it and start it again at any time.\n"
         "\n"
         "Settings, also as lines \"setting = value\" of " CONFIG_FILE ":");
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        printf("  --%-16s %s%s%s%s\n", settings[i].key, settings[i].doc,
               str_is_empty(settings[i].fallback) ? "" : " [", settings[i].fallback ? settings[i].fallback : "",
               str_is_empty(settings[i].fallback) ? "" : "]");
    puts("  --config FILE      read settings from FILE\n"
         "  --help, --version\n"
         "\n"
         "Example:\n"
         "  virgad --listen 0.0.0.0:7443 --server-names cloud.example.org --memory 48Gi");
}

static int read_arguments(struct config *config, int argc, char **argv, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        char *key = argv[i], *equals;
        const char *value;

        if (!str_starts(key, "--"))
            return err_set(err, ERR_INVALID, "unexpected argument \"%s\" (virgad --help)", key);
        if (str_equal(key, "--dismantle")) {
            config->dismantle = true;
            continue;
        }
        auto_free char *name = str_dup(key + 2);
        equals = strchr(name, '=');
        if (equals)
            *equals = '\0';
        if (!str_equal(name, "config") && !find_setting(name, err))
            return -1;
        value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return err_set(err, ERR_INVALID, "--%s needs a value", name);
        if (!str_equal(name, "config") && config_set(config, name, value, err) < 0)
            return -1;
    }
    return 0;
}

static const char *config_argument(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (str_starts(argv[i], "--config="))
            return argv[i] + strlen("--config=");
        if (str_equal(argv[i], "--config") && i + 1 < argc)
            return argv[i + 1];
    }
    return NULL;
}

int config_load(int argc, char **argv, struct config *ret_config, bool *ret_answered, struct err *err)
{
    const char *file = config_argument(argc, argv);

    *ret_answered = false;
    config_default(ret_config);
    for (int i = 1; i < argc && !*ret_answered; i++) {
        if (str_equal(argv[i], "--help"))
            print_help();
        else if (str_equal(argv[i], "--version"))
            puts("virgad " VIRGA_VERSION);
        else
            continue;
        *ret_answered = true;
        return 0;
    }
    if (read_file(ret_config, file ? file : CONFIG_FILE, file != NULL, err) < 0)
        return -1;
    return read_arguments(ret_config, argc, argv, err);
}
