/* control/instance_seed.c - what cloud-init reads: meta-data by us, user data by the user. */
#include "control/instance.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <net/if.h>
#include <string.h>

#define NO_USER_DATA "#cloud-config\n{}\n"

bool seed_holds(const struct scene *scene)
{
    return scene_has_process(scene) || work_op_succeeded(scene->work, "seed");
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* Secrets were validated as base64 (RFC 4648) on their way in. */
static char *decode(const char *base64)
{
    struct buf text = { 0 };
    unsigned bits = 0, held = 0;

    for (; *base64 && digit_of(*base64) >= 0; base64++) {
        bits = bits << 6 | (unsigned)digit_of(*base64);
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        buf_add_char(&text, (char)(bits >> held & 0xff));
    }
    return buf_take(&text);
}

/* NULL with the reason in the scene when it is not there yet. Owned. */
static char *user_data(struct scene *scene)
{
    const char *text = scene_text(scene, "spec.userData");
    const char *secret_name = scene_text(scene, "spec.userDataSecret.name");
    const char *key = scene_text(scene, "spec.userDataSecret.key");

    if (text || !secret_name)
        return str_dup(text ? text : NO_USER_DATA);
    auto_json json_t *secret = work_find(scene->work, &kind_secret, scene->namespace_name, secret_name);
    const char *value = json_string_value(json_object_get(json_object_get(secret, "data"), key ? key : "userData"));
    if (value)
        return decode(value);
    scene_waits(scene, "WaitingForSecret", "waiting for key %s of secret %s", key ? key : "userData",
                secret_name);
    return NULL;
}

/* JSON is YAML. The host name is the instance's unless the spec gives one. */
static char *meta_data(const struct scene *scene)
{
    const char *hostname = scene_text(scene, "spec.hostname");
    const json_t *keys = scene_list(scene, "spec.sshKeys");
    auto_json json_t *document = json_pack("{s:s,s:s}", "instance-id", scene->uid, "local-hostname",
                                           hostname ? hostname : scene->name);

    if (json_array_size(keys))
        json_object_set_new(document, "public-keys", json_deep_copy(keys));
    return json_text(document);
}

/* The card has its own name in the guest where that is one for an interface. */
static json_t *ethernet(const json_t *card)
{
    const char *name = json_text_at(card, "name", "");
    json_t *ethernet =
        json_pack("{s:{s:s},s:b,s:b}", "match", "macaddress", json_text_at(card, "macAddress", ""), "dhcp4",
                  json_text_at(card, "ipv4Address", NULL) != NULL, "dhcp6",
                  json_text_at(card, "ipv6Address", NULL) != NULL);

    if (strlen(name) < IF_NAMESIZE)
        json_object_set_new(ethernet, "set-name", json_string(name));
    return ethernet;
}

/* A guest asks for addresses on its first card by itself; of further ones it is told. Owned; NULL:
 * nothing to tell. */
static char *network_config(const struct scene *scene)
{
    const json_t *cards = scene_list(scene, "status.networks");
    auto_json json_t *document = json_pack("{s:i,s:{}}", "version", 2, "ethernets");

    for (size_t i = 0; i < json_array_size(cards); i++)
        json_object_set_new(json_object_get(document, "ethernets"),
                            json_text_at(json_array_get(cards, i), "name", ""),
                            ethernet(json_array_get(cards, i)));
    return json_array_size(cards) > 1 ? json_text(document) : NULL;
}

void seed_climb(struct scene *scene)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;
    auto_free char *user = user_data(scene);
    auto_free char *meta = meta_data(scene);
    auto_free char *network = network_config(scene);

    if (!user)
        return;
    scene_waits_for_op(scene, "seed", "being written");
    if (work_op_begin(scene->work, "seed"))
        storage->ops->seed_write(storage, scene->uid, meta, user, network, work_op_done(scene->work, "seed"));
}
