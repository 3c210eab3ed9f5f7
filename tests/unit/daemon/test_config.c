#include "check.h"
#include "base/files.h"
#include "base/str.h"
#include "daemon/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 8 };

/* config_load() with these arguments, and an empty file instead of the system's. */
static int load(struct config *config, bool *answered, struct err *err, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 3] = { (char *)"virgad", (char *)"--config=/dev/null" };
    int argc = 2;

    for (; *arguments; arguments++)
        argv[argc++] = (char *)*arguments;
    return config_load(argc, argv, config, answered, err);
}
#define LOAD(config, answered, err, ...)                                                           \
    load(config, answered, err, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

TEST(defaults_are_whole)
{
    struct config config;
    struct err err;
    bool answered;

    CHECK_OK(LOAD(&config, &answered, &err), &err);
    CHECK(!answered);
    CHECK_STR(config.state_dir, "/var/lib/virga");
    CHECK_STR(config.run_dir, "/run/virga");
    CHECK_STR(config.socket, "/run/virga/api.sock");
    CHECK_STR(config.listen, "127.0.0.1:7443");
    CHECK(config.host_name && config.host_name[0]);
    CHECK(config.server_names && !config.server_names[0]);
    CHECK_EQ(config.cpus, 0);
    CHECK_EQ(config.memory_bytes, 0);
    CHECK_EQ(config.uid_base, 0x70000000);
    CHECK_EQ(config.usage_interval_ms, 10000);
    CHECK_STR(config.network_prefix, "vg");
    CHECK_EQ(config_log_level(&config), LOG_LEVEL_INFO);
    config_done(&config);
    config_done(&config); /* nothing is left to free */
}

TEST(each_setting_is_taken_as_an_option_in_both_notations)
{
    struct config config;
    struct err err;
    bool answered;

    CHECK_OK(LOAD(&config, &answered, &err, "--state-dir", "/a", "--run-dir=/b", "--socket=/c",
                  "--listen", "[::]:0"),
             &err);
    CHECK_STR(config.state_dir, "/a");
    CHECK_STR(config.run_dir, "/b");
    CHECK_STR(config.socket, "/c");
    CHECK_STR(config.listen, "[::]:0");
    config_done(&config);
    CHECK_OK(LOAD(&config, &answered, &err, "--host-name=n1", "--server-names=a, b,,c", "--cpus=3",
                  "--memory=2Gi", "--uid-base=100000", "--usage-interval=1m", "--network-prefix=x1",
                  "--log-level=debug"),
             &err);
    CHECK_STR(config.host_name, "n1");
    CHECK_STR(config.server_names[0], "a");
    CHECK_STR(config.server_names[1], "b");
    CHECK_STR(config.server_names[2], "c");
    CHECK(!config.server_names[3]);
    CHECK_EQ(config.cpus, 3);
    CHECK_EQ(config.memory_bytes, 2LL << 30);
    CHECK_EQ(config.uid_base, 100000);
    CHECK_EQ(config.usage_interval_ms, 60000);
    CHECK_STR(config.network_prefix, "x1");
    CHECK_EQ(config_log_level(&config), LOG_LEVEL_DEBUG);
    config_done(&config);
}

TEST(a_wrong_value_is_refused_with_its_setting_and_what_would_be_right)
{
    static const char *const rows[][3] = {
        { "state-dir", "x", "state-dir: \"x\" must be an absolute path" },
        { "run-dir", "", "run-dir: \"\" must be an absolute path" },
        { "socket", "api.sock", "socket: \"api.sock\" must be an absolute path" },
        { "listen", "7443", "listen: \"7443\" must be ADDRESS:PORT or none" },
        { "listen", ":7443", "listen: \":7443\" must be ADDRESS:PORT or none" },
        { "listen", "a:", "listen: \"a:\" must be ADDRESS:PORT or none" },
        { "listen", "a:b", "listen: \"a:b\" must be ADDRESS:PORT or none" },
        { "listen", "a:7443x", "listen: \"a:7443x\" must be ADDRESS:PORT or none" },
        { "listen", "a:65536", "listen: \"a:65536\" must be ADDRESS:PORT or none" },
        { "listen", "a:99999999999", "listen: \"a:99999999999\" must be ADDRESS:PORT or none" },
        { "listen", "a:-1", "listen: \"a:-1\" must be ADDRESS:PORT or none" },
        { "host-name", "A b", "host-name: \"A b\" must be an RFC 1123 subdomain" },
        { "host-name", "", "host-name: \"\" must be an RFC 1123 subdomain" },
        { "host-name", "../x", "host-name: \"../x\" must be an RFC 1123 subdomain" },
        { "cpus", "-1", "cpus: \"-1\" must not be negative" },
        { "cpus", "many", "cpus: \"many\": \"many\" is not a quantity" },
        { "memory", "12Q", "memory: \"12Q\": \"12Q\" is not a quantity" },
        { "memory", "-1Gi", "memory: \"-1Gi\" must not be negative" },
        { "uid-base", "0", "uid-base: \"0\" must be from 65536 to 4294836223" },
        { "uid-base", "1000", "uid-base: \"1000\" must be from 65536" },
        { "uid-base", "4294901760", "uid-base: \"4294901760\" must be from 65536" },
        { "usage-interval", "0s", "usage-interval: \"0s\" must be from 100ms to 24h" },
        { "usage-interval", "5", "usage-interval: \"5\": \"5\" is not a duration" },
        { "network-prefix", "", "network-prefix: \"\" must be 1 to 4 of a-z0-9" },
        { "network-prefix", "abcde", "network-prefix: \"abcde\" must be 1 to 4 of a-z0-9" },
        { "network-prefix", "a;b", "network-prefix: \"a;b\" must be 1 to 4 of a-z0-9" },
        { "log-level", "loud", "log-level: \"loud\" must be error, warning, info or debug" },
        { "bogus", "1", "unknown setting \"bogus\" (virgad --help lists them)" },
        { "", "1", "unknown setting \"\"" },
    };
    struct config config;
    struct err err;

    config_default(&config);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_FAILS(config_set(&config, rows[i][0], rows[i][1], &err), &err, ERR_INVALID);
        CHECK_CONTAINS(err.text, rows[i][2]);
    }
    CHECK_STR(config.state_dir, "/var/lib/virga"); /* as it was */
    config_done(&config);
}

TEST(wrong_arguments_are_refused)
{
    static const char *const rows[][2] = {
        { "bogus", "unexpected argument \"bogus\"" },
        { "-x", "unexpected argument \"-x\"" },
        { "--memory", "--memory needs a value" },
        { "--bogus=1", "unknown setting \"bogus\"" },
        { "--bogus", "unknown setting \"bogus\"" },
        { "--", "--" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config config;
        struct err err;
        bool answered;

        CHECK_EQ(LOAD(&config, &answered, &err, rows[i][0]), -1);
        CHECK_CONTAINS(err.text, rows[i][1]);
        config_done(&config);
    }
}

/* --- the file --- */

static int load_file(struct config *config, const char *text, const char *option, struct err *err)
{
    char path[] = "/tmp/virga-config-XXXXXX", *argv[5] = { (char *)"virgad", (char *)"--config" };
    int fd = mkstemp(path), argc = 3, result;
    bool answered;

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    argv[2] = path;
    if (option)
        argv[argc++] = (char *)option;
    result = config_load(argc, argv, config, &answered, err);
    unlink(path);
    return result;
}

TEST(a_file_has_settings_comments_and_blank_lines)
{
    struct config config;
    struct err err;

    CHECK_OK(load_file(&config,
                       "# all of it\r\n\n  cpus = 2  # two\nmemory=1Gi\r\nserver-names = a b\ncpus = 4",
                       "--memory=2Gi", &err),
             &err);
    CHECK_EQ(config.cpus, 4);
    CHECK_EQ(config.memory_bytes, 2LL << 30); /* the command line wins */
    CHECK_STR(config.server_names[1], "b");
    config_done(&config);
}

TEST(a_wrong_line_is_refused_with_its_number)
{
    static const char *const rows[][2] = {
        { "cpus = 1\nmemory\n", "line 2: \"memory\" must be \"key = value\"" },
        { "\n\nbogus = 1\n", "line 3: unknown setting \"bogus\"" },
        { "= 1\n", "line 1: unknown setting \"\"" },
        { "[section]\n", "line 1: \"[section]\" must be" },
        { "memory = 12Q", "line 1: memory: \"12Q\"" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config config;
        struct err err;

        CHECK_EQ(load_file(&config, rows[i][0], NULL, &err), -1);
        CHECK_CONTAINS(err.text, rows[i][1]);
        config_done(&config);
    }
}

TEST(a_file_that_is_named_must_be_there)
{
    char *argv[] = { (char *)"virgad", (char *)"--config", (char *)"/nope/virgad.conf", NULL };
    struct config config;
    struct err err;
    bool answered;

    CHECK_EQ(config_load(3, argv, &config, &answered, &err), -1);
    CHECK_CONTAINS(err.text, "/nope/virgad.conf");
    config_done(&config);
}
