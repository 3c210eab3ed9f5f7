#include "site.h"

/* "field: message\n" for each cause of refusing this object. The caller frees it. */
static char *refusal_of(const struct kind *kind, json_t *take_object, const json_t *old)
{
    auto_json json_t *object = take_object;
    auto_causes struct causes causes = { 0 };
    struct buf text = { 0 };

    kind_default(kind, object);
    kind_validate(kind, object, old, &causes);
    if (!causes.count)
        control_admit(site.control, kind, object, old, &causes);
    for (size_t i = 0; i < causes.count; i++)
        buf_printf(&text, "%s: %s\n", causes.items[i].field, causes.items[i].message);
    return buf_take(&text);
}

static json_t *named(const struct kind *kind, const char *name, json_t *take_spec)
{
    return json_pack("{s:s,s:s,s:{s:s,s:s},s:o}", "apiVersion", kind_api_version(kind), "kind", kind->name,
                     "metadata", "name", name, "namespace", "default", "spec", take_spec);
}

static json_t *spec_of(const char *text)
{
    struct buf json = { 0 };
    struct err err;

    for (; *text; text++)
        buf_add_char(&json, *text == '\'' ? '"' : *text);
    json_t *spec = json_parse(json.bytes, json.size, &err);
    buf_done(&json);
    CHECK(spec);
    return spec;
}

struct row {
    const char *spec, *refusal; /* "" none */
};

static void check_rows(const struct kind *kind, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_free char *refusal = refusal_of(kind, named(kind, "new", spec_of(rows[i].spec)), NULL);
        if (!str_equal(refusal, rows[i].refusal))
            check_fail(CHECK_HERE, "%s\n  is        %s  should be %s", rows[i].spec, refusal, rows[i].refusal);
    }
}
#define CHECK_ADMITS(kind, rows) check_rows(kind, rows, sizeof(rows) / sizeof(rows)[0])

static void create_cdrom(void)
{
    control_create(site.control, &kind_image,
                   json_pack("{s:{s:s},s:{s:{s:s}}}", "metadata", "name", "tools", "spec", "source", "url",
                             "http://example.com/tools.iso"),
                   nobody);
}

static void settle(void) { loop_sim_advance(site.loop, 20000); }

TEST(an_instance_refers_to_what_there_is)
{
    static const struct row rows[] = {
        { "{'image':'debian'}", "" },
        { "{'image':'none'}", "spec.image: Not found: there is no image \"none\"\n" },
        { "{'image':'tools'}",
          "spec.image: Invalid value: \"tools\": is a CD-ROM image: give it as spec.cdrom.image\n" },
        { "{'image':'debian','rootDisk':{'pool':'none'}}",
          "spec.rootDisk.pool: Not found: there is no storagepool \"none\"\n" },
        { "{'image':'debian','networks':[{'name':'eth0','network':'none'}]}",
          "spec.networks[0].network: Not found: there is no network \"none\"\n" },
        { "{'image':'debian','disks':[{'name':'d','volume':'none'}]}",
          "spec.disks[0].volume: Not found: there is no volume \"none\"\n" },
        { "{'image':'debian','cdrom':{'image':'tools'}}", "" },
        { "{'image':'debian','cdrom':{'image':'debian'}}",
          "spec.cdrom.image: Invalid value: \"debian\": is no CD-ROM image: give it as spec.image\n" },
        { "{'image':'debian','rootDisk':{'size':'512Mi'}}",
          "spec.rootDisk.size: Invalid value: \"512Mi\": must be at least the image's size, 1Gi\n" },
        { "{'image':'debian','memory':'9Gi'}",
          "spec.memory: Invalid value: \"9Gi\": is more than the host has for instances: 7.5Gi\n" },
        { "{'image':'debian','cpus':17}",
          "spec.cpus: Invalid value: 17: is more than the host has for instances: 16\n" },
    };

    begin(1);
    create_image();
    create_cdrom();
    settle();
    CHECK_ADMITS(&kind_instance, rows);
    end();
}

TEST(names_of_disks_that_every_instance_has_are_taken)
{
    static const char text[] =
        "root, seed and cdrom are names of disks that every instance has\n";

    begin(2);
    create_image();
    create_volume("data");
    settle();
    static const char *const names[] = { "root", "seed", "cdrom" };
    for (unsigned i = 0; i < 3; i++) {
        json_t *spec = json_pack("{s:s,s:[{s:s,s:s}]}", "image", "debian", "disks", "name", names[i], "volume",
                                 "data");
        auto_free char *refusal = refusal_of(&kind_instance, named(&kind_instance, "new", spec), NULL);
        auto_free char *expected = str_printf("spec.disks[0].name: Invalid value: \"%s\": %s", names[i], text);
        CHECK_STR(refusal, expected);
    }
    end();
}

TEST(addresses_are_inside_their_subnet_and_nobody_elses)
{
    static const struct row rows[] = {
        { "{'image':'debian','networks':[{'name':'e','network':'lan','ipv4Address':'10.5.0.9'}]}", "" },
        { "{'image':'debian','networks':[{'name':'e','network':'lan','ipv4Address':'10.6.0.9'}]}",
          "spec.networks[0].ipv4Address: Invalid value: \"10.6.0.9\": must be an address of 10.5.0.0/24 "
          "that is not the network's own\n" },
        { "{'image':'debian','networks':[{'name':'e','network':'lan','ipv4Address':'10.5.0.1'}]}",
          "spec.networks[0].ipv4Address: Invalid value: \"10.5.0.1\": must be an address of 10.5.0.0/24 "
          "that is not the network's own\n" },
        { "{'image':'debian','networks':[{'name':'e','network':'lan','ipv4Address':'10.5.0.255'}]}",
          "spec.networks[0].ipv4Address: Invalid value: \"10.5.0.255\": must be an address of 10.5.0.0/24 "
          "that is not the network's own\n" },
        { "{'image':'debian','networks':[{'name':'e','network':'lan','ipv6Address':'fd00::5'}]}",
          "spec.networks[0].ipv6Address: Invalid value: \"fd00::5\": network \"lan\" has no IPv6 subnet\n" },
        { "{'image':'debian','networks':[{'name':'e','network':'lan','ipv4Address':'10.5.0.7'}]}",
          "spec.networks[0].ipv4Address: Invalid value: \"10.5.0.7\": is taken by instance \"first\"\n" },
        { "{'image':'debian','networks':[{'name':'e','network':'lan','macAddress':'52:54:00:AA:00:01'}]}",
          "spec.networks[0].macAddress: Invalid value: \"52:54:00:AA:00:01\": is taken by instance \"first\"\n" },
        { "{'image':'debian','networks':[{'name':'a','network':'lan','macAddress':'52:54:00:00:00:05'},"
          "{'name':'b','network':'lan','macAddress':'52:54:00:00:00:05'}]}",
          "spec.networks[1].macAddress: Duplicate value: \"52:54:00:00:00:05\"\n" },
    };

    begin(3);
    create_image();
    create_network("lan", "10.5.0.0/24");
    create_instance("first", spec_of("{'image':'debian','networks':[{'name':'e','network':'lan',"
                                     "'macAddress':'52:54:00:aa:00:01','ipv4Address':'10.5.0.7'}]}"));
    wait_for("first", "Running");
    CHECK_ADMITS(&kind_instance, rows);
    end();
}

TEST(a_volume_is_refused_to_a_second_instance_until_the_first_is_told_to_give_it_up)
{
    static const char taken[] =
        "spec.disks[0].volume: Invalid value: \"data\": is attached to instance \"first\"\n";
    static const char wish[] = "{'image':'debian','disks':[{'name':'d','volume':'data'}]}";
    static const struct row refused[] = { { wish, taken } }, admitted[] = { { wish, "" } };

    begin(11);
    create_image();
    create_volume("data");
    create_instance("first", spec_of(wish));
    wait_for("first", "Running");
    CHECK_ADMITS(&kind_instance, refused);
    edit("first", "spec.disks", json_array());
    auto_json json_t *held = volume("data");
    CHECK_STR(json_text_at(held, "status.attachedTo", NULL), "first");
    CHECK_ADMITS(&kind_instance, admitted);
    create_instance("next", spec_of(wish));
    wait_for("next", "Running");
    auto_json json_t *given = volume("data");
    CHECK_STR(json_text_at(given, "status.attachedTo", NULL), "next");
    end();
}

TEST(subnets_of_networks_do_not_overlap)
{
    static const struct row rows[] = {
        { "{'ipv4':{'subnet':'10.6.0.0/24'}}", "" },
        { "{'ipv4':{'subnet':'10.5.0.128/25'}}",
          "spec.ipv4.subnet: Invalid value: \"10.5.0.128/25\": overlaps 10.5.0.0/24 of network \"lan\"\n" },
        { "{'ipv4':{'subnet':'10.0.0.0/8'}}",
          "spec.ipv4.subnet: Invalid value: \"10.0.0.0/8\": overlaps 10.77.0.0/24 of network \"default\"\n"
          "spec.ipv4.subnet: Invalid value: \"10.0.0.0/8\": overlaps 10.5.0.0/24 of network \"lan\"\n" },
    };

    begin(4);
    create_network("lan", "10.5.0.0/24");
    settle();
    CHECK_ADMITS(&kind_network, rows);
    end();
}

TEST(a_disk_does_not_shrink_below_what_it_has)
{
    begin(5);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_json json_t *old = instance("web");
    json_t *smaller = json_deep_copy(old);
    json_set_at(smaller, "spec.rootDisk.size", json_string("512Mi"));
    auto_free char *refusal = refusal_of(&kind_instance, smaller, old);
    CHECK_STR(refusal,
              "spec.rootDisk.size: Invalid value: \"512Mi\": may grow but not shrink (now \"1Gi\")\n");
    auto_json json_t *root = volume("web-root");
    json_t *less = json_deep_copy(root);
    json_set_at(less, "spec.size", json_string("512Mi"));
    auto_free char *volume_refusal = refusal_of(&kind_volume, less, root);
    CHECK_STR(volume_refusal, "spec.size: Invalid value: \"512Mi\": may grow but not shrink (now \"1Gi\")\n");
    end();
}

TEST(a_template_refers_to_what_there_is_when_it_changes)
{
    begin(11);
    create_image();
    loop_sim_advance(site.loop, STEP_MS);
    auto_free char *lost = refusal_of(&kind_instance_group,
                                      named(&kind_instance_group, "web", spec_of("{'template':{'spec':{'snapshot':'s'}}}")),
                                      NULL);
    CHECK_STR(lost, "spec.template.spec.snapshot: Not found: there is no snapshot \"s\"\n");
    auto_json json_t *old = named(&kind_instance_group, "web", spec_of("{'template':{'spec':{'image':'gone'}}}"));
    kind_default(&kind_instance_group, old);
    json_t *smaller = json_deep_copy(old);
    json_set_at(smaller, "spec.replicas", json_integer(0));
    auto_free char *scaled = refusal_of(&kind_instance_group, smaller, old);
    CHECK_STR(scaled, "");
    json_t *changed = json_deep_copy(old);
    json_set_at(changed, "spec.template.spec.cpus", json_integer(2));
    auto_free char *refused = refusal_of(&kind_instance_group, changed, old);
    CHECK_CONTAINS(refused, "spec.template.spec.image: Not found");
    end();
}

static char *deletion_of(const struct kind *kind, const char *namespace_name, const char *name)
{
    auto_json json_t *old = control_find(site.control, kind, namespace_name, name);
    auto_causes struct causes causes = { 0 };

    CHECK(old);
    control_admit(site.control, kind, NULL, old, &causes);
    return str_dup(causes.count ? causes.items[0].message : "");
}

TEST(the_namespaces_that_virga_makes_stay)
{
    begin(9);
    loop_sim_advance(site.loop, STEP_MS);
    auto_free char *first = deletion_of(&kind_namespace, NULL, "default");
    CHECK_STR(first, "may not be deleted: delete what is in it");
    auto_free char *system = deletion_of(&kind_namespace, NULL, "virga-system");
    CHECK_STR(system, "may not be deleted: delete what is in it");
    control_create(site.control, &kind_namespace, json_pack("{s:{s:s}}", "metadata", "name", "lab"), nobody);
    loop_sim_advance(site.loop, STEP_MS);
    auto_free char *other = deletion_of(&kind_namespace, NULL, "lab");
    CHECK_STR(other, "");
    end();
}

TEST(a_host_stays_while_its_daemon_runs)
{
    begin(10);
    control_create(site.control, &kind_host, json_pack("{s:{s:s}}", "metadata", "name", "node0"), nobody);
    loop_sim_advance(site.loop, STEP_MS);
    auto_free char *own = deletion_of(&kind_host, NULL, "node1");
    CHECK_STR(own, "may not be deleted: its virgad runs");
    auto_free char *before = deletion_of(&kind_host, NULL, "node0");
    CHECK_STR(before, "");
    end();
}

TEST(what_a_machine_still_has_is_not_deleted_though_its_spec_names_it_no_more)
{
    begin(6);
    create_image();
    create_cdrom();
    create_volume("data");
    create_instance("web", spec_of("{'image':'debian','disks':[{'name':'d','volume':'data'}],"
                                   "'cdrom':{'image':'tools'}}"));
    wait_for("web", "Running");
    set_spec("web", "spec.powerState", "Paused"); /* which lets go of nothing */
    wait_for("web", "Paused");
    edit("web", "spec.disks", json_array());
    loop_sim_advance(site.loop, 5000);
    auto_free char *used = deletion_of(&kind_volume, "default", "data");
    CHECK_CONTAINS(used, "web");
    auto_free char *disc = deletion_of(&kind_image, NULL, "tools");
    CHECK_CONTAINS(disc, "web");
    set_spec("web", "spec.powerState", "Running");
    edit("web", "spec.cdrom", NULL);
    loop_sim_advance(site.loop, 5000);
    auto_free char *freed = deletion_of(&kind_volume, "default", "data");
    CHECK_STR(freed, "");
    auto_free char *taken_out = deletion_of(&kind_image, NULL, "tools");
    CHECK_STR(taken_out, "");
    end();
}

/* The size after the API has completed what is written. */
static int64_t size_of(const char *spec, const char *operation)
{
    auto_json json_t *object = named(&kind_instance_group, "web", spec_of(spec));

    json_set_at(object, "metadata.managedFields",
                json_pack("[{s:s,s:{s:{s:{}}}}]", "operation", operation, "fieldsV1", "f:spec", "f:replicas"));
    control_fill(site.control, &kind_instance_group, object);
    return json_int_at(object, "spec.replicas", -1);
}

TEST(a_size_that_nobody_names_follows_its_bounds)
{
    begin(8);
    CHECK_EQ(size_of("{'minReplicas':2}", "Apply"), 2);
    CHECK_EQ(size_of("{'minReplicas':0}", "Apply"), -1); /* the default is right */
    CHECK_EQ(size_of("{'minReplicas':2,'replicas':1}", "Update"), 1); /* to be refused */
    control_create(site.control, &kind_instance_group,
                   named(&kind_instance_group, "web", spec_of("{'replicas':4,'maxReplicas':6,'template':{'spec':{}}}")),
                   nobody);
    loop_sim_advance(site.loop, 100);
    CHECK_EQ(size_of("{'maxReplicas':3,'replicas':4}", "Update"), 3);
    CHECK_EQ(size_of("{'minReplicas':5,'replicas':4}", "Update"), 5);
    CHECK_EQ(size_of("{'maxReplicas':3,'replicas':4}", "Apply"), 4); /* the manifest contradicts itself */
    CHECK_EQ(size_of("{'maxReplicas':3,'replicas':5}", "Update"), 5); /* a size that is asked for */
    CHECK_EQ(size_of("{'minReplicas':7,'maxReplicas':3,'replicas':4}", "Update"), 4);
    CHECK_EQ(size_of("{'maxReplicas':'x','replicas':'y'}", "Update"), -1);
    end();
}
