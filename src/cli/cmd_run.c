/* cli/cmd_run.c - run: an Instance from options. */
#include "cli/common.h"
#include "cli/own_files.h"
#include "base/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FILE_MAX = 16 * 1024, USER_DATA_MAX = 64 * 1024 };

/* What says something in an authorized_keys file. */
static void add_lines(json_t *keys, char *text)
{
    char *rest = NULL;

    for (char *line = text ? strtok_r(text, "\r\n", &rest) : NULL; line; line = strtok_r(NULL, "\r\n", &rest)) {
        line += strspn(line, " \t");
        if (*line && *line != '#')
            json_array_append_new(keys, json_string_repaired(line, strlen(line)));
    }
}

static int add_key(json_t *spec, const char *path, struct err *err)
{
    auto_buf struct buf text = { 0 };
    json_t *keys = json_object_get(spec, "sshKeys");

    if (read_input(path, KEY_FILE_MAX, &text, err) < 0)
        return err_wrap(err, "--ssh-key");
    if (strstr(text.size ? text.bytes : "", "PRIVATE KEY"))
        return err_set(err, ERR_BAD_REQUEST, "--ssh-key %s: is a private key; give %s.pub", path,
                       path);
    if (!keys)
        json_object_set_new(spec, "sshKeys", keys = json_array());
    add_lines(keys, text.size ? text.bytes : NULL);
    return 0;
}

static int add_user_data(json_t *spec, const char *path, struct err *err)
{
    auto_buf struct buf text = { 0 };

    if (read_input(path, USER_DATA_MAX, &text, err) < 0)
        return err_wrap(err, "--user-data");
    json_object_set_new(spec, "userData", json_string_repaired(text.bytes, text.size));
    return 0;
}

static void add_network(json_t *spec, const char *network)
{
    json_t *list = json_object_get(spec, "networks");

    if (!list)
        json_object_set_new(spec, "networks", list = json_array());
    auto_free char *name = str_printf("eth%zu", json_array_size(list));
    json_array_append_new(list, json_pack("{s:s,s:s}", "name", name, "network", network));
}

static void add_volume(json_t *spec, const char *volume)
{
    json_t *list = json_object_get(spec, "disks");

    if (!list)
        json_object_set_new(spec, "disks", list = json_array());
    auto_free char *name = str_printf("disk%zu", json_array_size(list) + 1);
    json_array_append_new(list, json_pack("{s:s,s:s}", "name", name, "volume", volume));
}

static int add_option(json_t *spec, const char *name, const char *value, struct err *err)
{
    bool is_size;

    if (add_size(spec, name, value, &is_size, err) < 0)
        return -1;
    if (is_size)
        return 0;
    if (str_equal(name, "ssh-key"))
        return add_key(spec, value, err);
    if (str_equal(name, "user-data"))
        return add_user_data(spec, value, err);
    if (str_equal(name, "disk"))
        json_set_at(spec, "rootDisk.size", json_string(value));
    else if (str_equal(name, "firmware"))
        json_set_at(spec, "firmware", json_string(value));
    else if (str_equal(name, "network"))
        add_network(spec, value);
    else if (str_equal(name, "volume"))
        add_volume(spec, value);
    return 0;
}

/* "debian-12-k3f9": short enough for a host name. */
static char *make_name(const char *image)
{
    char tail[5], *name;

    random_suffix(tail, 4);
    name = str_printf("%.40s-%s", image, tail);
    for (char *at = name; *at; at++)
        if (*at == '.')
            *at = '-';
    return name;
}

/* So that "virga ssh" works on what "virga run" made. */
static int add_own_keys(json_t *spec, struct err *err)
{
    enum { KEYS_MAX = 4 };
    char *paths[KEYS_MAX];
    int count = own_public_keys(paths, KEYS_MAX, /*makes=*/true), result = 0;

    for (int i = 0; i < count; i++) {
        if (result == 0)
            result = add_key(spec, paths[i], err);
        free(paths[i]);
    }
    return result;
}

static int make_spec(json_t *object, const struct arguments *arguments, struct err *err)
{
    json_t *spec = json_object_get(object, "spec");

    json_object_set_new(spec, "image", json_string(arguments->operands[0]));
    for (size_t i = 0; i < arguments->option_count; i++)
        if (add_option(spec, arguments->options[i].name, arguments->options[i].value, err) < 0)
            return -1;
    if (!argument_given(arguments, "ssh-key") && !argument_given(arguments, "no-ssh-key"))
        return add_own_keys(spec, err);
    return 0;
}

static void say_how_to_go_on(struct session *session, const char *name, struct client *client,
                             const struct kind *kind)
{
    auto_free char *path = object_path(session, kind, name, NULL);
    auto_json json_t *object = NULL;
    struct err err;

    if (client_get(client, path, &object, &err) == 0)
        printf("%s is running%s%s\n", name,
               json_text_at(object, "status.networks[0].ipv4Address", NULL) ? " at " : "",
               json_text_at(object, "status.networks[0].ipv4Address", ""));
}

COMMAND(cmd_run)
{
    const struct kind *kind = kind_find_name("instances");
    const char *given = argument(arguments, "name");
    auto_free char *name = given ? str_dup(given) : make_name(arguments->operands[0]);
    auto_json json_t *object = new_object(session, kind, name, err);

    if (!object)
        return -1;
    if (make_spec(object, arguments, err) < 0) {
        session->is_usage = err->code == ERR_BAD_REQUEST;
        return -1;
    }
    if (create_object(session, kind, object, NULL, err) < 0) {
        if (strstr(err->text, "there is no image"))
            session_hint(session, "\"virga image ls\" lists the images there are; \"virga image "
                                  "build micro\" makes a small one");
        return -1;
    }
    if (argument_given(arguments, "no-wait")) {
        print_done(kind, name, "created");
        return 0;
    }
    if (wait_for_phase(session, kind, name, "Running", WAIT_MS_DEFAULT, err) < 0)
        return -1;
    say_how_to_go_on(session, name, session->client, kind);
    return 0;
}
