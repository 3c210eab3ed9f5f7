#include "site.h"

static const char *seed_of(const char *name)
{
    auto_free char *uid = uid_of(name);
    const char *seed = storage_fake_seed(site.disks, uid);

    return seed ? seed : "";
}

static void create_secret(const char *name, const char *key, const char *base64)
{
    control_create(site.control, &kind_secret,
                   json_pack("{s:{s:s,s:s},s:{s:s}}", "metadata", "name", name, "namespace", "default",
                             "data", key, base64),
                   nobody);
    loop_sim_advance(site.loop, STEP_MS);
}

TEST(user_data_from_a_secret_is_waited_for_and_decoded)
{
    begin(1);
    create_image();
    create_instance("web", json_pack("{s:s,s:{s:s,s:s}}", "image", "debian", "userDataSecret", "name", "init",
                                     "key", "script"));
    loop_sim_advance(site.loop, 20000);
    auto_free char *message = message_of("web", "SeedWritten");
    CHECK_STR(message, "waiting for key script of secret init");
    create_secret("init", "script", "IyEvYmluL3NoCmVjaG8gaGkK");
    wait_for("web", "Running");
    CHECK_CONTAINS(seed_of("web"), "user-data: #!/bin/sh\necho hi\n");
    auto_json json_t *object = instance("web");
    auto_free char *text = json_text(object);
    CHECK(!strstr(text, "echo hi"));
    delete_instance("web");
    end();
}

TEST(a_seed_names_the_host_its_keys_and_user_data)
{
    begin(2);
    create_image();
    create_instance("web", json_pack("{s:s,s:s,s:[s],s:s}", "image", "debian", "hostname", "www", "sshKeys",
                                     "ssh-ed25519 AAAA me", "userData", "#cloud-config\n"));
    wait_for("web", "Running");
    CHECK_CONTAINS(seed_of("web"), "\"local-hostname\":\"www\"");
    CHECK_CONTAINS(seed_of("web"), "\"public-keys\":[\"ssh-ed25519 AAAA me\"]");
    CHECK_CONTAINS(seed_of("web"), "user-data: #cloud-config\n");
    CHECK_CONTAINS(seed_of("web"), "network-config: \n");
    end();
}

TEST(a_guest_with_several_cards_is_told_of_each)
{
    begin(3);
    create_image();
    create_network("lan", "10.5.0.0/24");
    create_instance("web", json_pack("{s:s,s:[{s:s,s:s},{s:s,s:s,s:s}]}", "image", "debian", "networks",
                                     "name", "eth0", "network", "default", "name",
                                     "a-name-too-long-for-linux", "network", "lan", "macAddress",
                                     "52:54:00:00:00:01"));
    wait_for("web", "Running");
    CHECK_CONTAINS(seed_of("web"), "network-config: {\"version\":2,\"ethernets\":{\"eth0\":{\"match\":");
    CHECK_CONTAINS(seed_of("web"), "\"set-name\":\"eth0\"");
    CHECK_CONTAINS(seed_of("web"), "\"a-name-too-long-for-linux\":{\"match\":{\"macaddress\":"
                                   "\"52:54:00:00:00:01\"},\"dhcp4\":true,\"dhcp6\":false}");
    end();
}
