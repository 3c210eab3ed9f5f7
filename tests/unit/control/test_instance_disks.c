#include "site.h"

static json_t *rooted(const char *size, const char *policy)
{
    return json_pack("{s:s,s:{s:s,s:s}}", "image", "debian", "rootDisk", "size", size, "deletePolicy", policy);
}

static char *size_of(const char *name)
{
    auto_json json_t *object = volume(name);

    return str_dup(json_text_at(object, "status.size", ""));
}

static void check_size(const char *name, const char *expected)
{
    auto_free char *size = size_of(name);

    CHECK_STR(size, expected);
}

static void grow_volume(const char *name, const char *size)
{
    json_t *object = volume(name);

    json_set_at(object, "spec.size", json_string(size));
    control_update(site.control, &kind_volume, object, nobody);
    loop_sim_advance(site.loop, 5000);
}

TEST(a_root_disk_grows_while_the_machine_runs_and_while_it_does_not)
{
    begin(1);
    create_image();
    create_instance("web", rooted("2Gi", "Delete"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    check_size("web-root", "2Gi");
    set_spec("web", "spec.rootDisk.size", "3Gi");
    loop_sim_advance(site.loop, 5000);
    check_size("web-root", "3Gi");
    CHECK(has_condition("web", "VolumesReady", "True"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    set_spec("web", "spec.rootDisk.size", "4Gi");
    set_spec("web", "spec.powerState", "Running");
    wait_for("web", "Running");
    check_size("web-root", "4Gi");
    check_nothing_wrong();
    end();
}

TEST(a_volume_grows_while_a_machine_has_it_and_while_none_has)
{
    begin(2);
    create_image();
    create_volume("data");
    create_instance("web", json_pack("{s:s,s:[{s:s,s:s}]}", "image", "debian", "disks", "name", "d", "volume",
                                     "data"));
    wait_for("web", "Running");
    grow_volume("data", "2Gi");
    check_size("data", "2Gi");
    delete_instance("web");
    grow_volume("data", "3Gi");
    check_size("data", "3Gi");
    check_nothing_wrong();
    end();
}

TEST(a_retained_root_volume_outlives_its_instance)
{
    begin(3);
    create_image();
    create_instance("web", rooted("2Gi", "Retain"));
    wait_for("web", "Running");
    delete_instance("web");
    loop_sim_advance(site.loop, 60000);
    auto_json json_t *root = volume("web-root");
    CHECK(root);
    CHECK(!json_at(root, "metadata.ownerReferences"));
    CHECK(!json_text_at(root, "status.attachedToUID", NULL));
    CHECK_EQ(compute_fake_trace_count(site.world), 0);
    end();
}

TEST(a_deleted_root_volume_goes_with_its_instance)
{
    begin(4);
    create_image();
    create_instance("web", rooted("2Gi", "Delete"));
    wait_for("web", "Running");
    delete_instance("web");
    loop_sim_advance(site.loop, 5000);
    auto_json json_t *root = volume("web-root");
    CHECK(!root);
    check_nothing_left();
    end();
}

static void check_shown(const char *phase, const char *message)
{
    auto_json json_t *object = instance("web"), *row = kind_row(&kind_instance, object, 0);

    CHECK_STR(json_string_value(json_array_get(row, 1)), phase);
    CHECK_STR(json_text_at(object, "status.message", NULL), message);
}

TEST(a_write_error_is_told_and_the_guest_goes_on_when_there_is_space)
{
    begin(5);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_disk_full(site.world, uid, true);
    wait_for_condition("web", "DiskError", "True");
    auto_free char *message = message_of("web", "DiskError");
    CHECK_STR(message, "disk root: no space left on device");
    CHECK(has_condition("web", "Ready", "False"));
    loop_sim_advance(site.loop, 60000);
    CHECK_EQ(events_of("web", "WriteFailed"), 1);
    check_shown("Paused (WriteFailed)", "disk root: no space left on device; it goes on by itself as soon as that can "
                                        "be written: make room");
    compute_fake_disk_full(site.world, uid, false);
    wait_for_condition("web", "DiskError", "False");
    loop_sim_advance(site.loop, 1000);
    check_shown("Running", NULL);
    CHECK(has_condition("web", "Ready", "True"));
    CHECK_EQ(events_of("web", "WriteRecovered"), 1);
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    compute_fake_disk_full(site.world, uid, true);
    wait_for_condition("web", "DiskError", "True");
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    CHECK(has_condition("web", "DiskError", "False"));
    check_shown("Stopped", NULL);
    end();
}

TEST(the_variables_of_uefi_lie_beside_the_root_disk_over_restarts)
{
    begin(6);
    create_image();
    create_instance("web", json_pack("{s:s,s:s,s:[s,s]}", "image", "debian", "firmware", "UEFI", "bootOrder",
                                     "CDROM", "Disk"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    const struct machine_config *config = compute_fake_config(site.world, uid);
    auto_free char *vars = str_dup(config->firmware_vars);
    auto_json json_t *root = volume("web-root");
    CHECK_CONTAINS(vars, object_uid(root));
    CHECK(config->disks[2].is_cdrom && config->disks[2].boot_index < config->disks[0].boot_index);
    CHECK_EQ(config->nics[0].boot_index, 0);
    set_spec("web", "spec.restartAt", "2026-01-01T00:00:00Z");
    loop_sim_advance(site.loop, 10000);
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    CHECK_STR(compute_fake_config(site.world, uid)->firmware_vars, vars);
    end();
}
