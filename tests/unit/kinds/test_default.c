#include "parsed.h"
#include "kinds/tables/tables.h"
#include "base/str.h"
#include <string.h>

TEST(an_instance_that_names_its_image_only_gets_all_the_rest)
{
    auto_json json_t *object = parse("{\"metadata\":{\"name\":\"a\"},\"spec\":{\"image\":\"x\"}}");

    kind_default(&kind_instance, object);
    CHECK_EQ(json_int_at(object, "spec.cpus", 0), 1);
    CHECK_STR(json_text_at(object, "spec.memory", NULL), "512Mi");
    CHECK_STR(json_text_at(object, "spec.rootDisk.pool", NULL), "default");
    CHECK_STR(json_text_at(object, "spec.rootDisk.deletePolicy", NULL), "Delete");
    CHECK_STR(json_text_at(object, "spec.networks[0].name", NULL), "eth0");
    CHECK_STR(json_text_at(object, "spec.networks[0].network", NULL), "default");
    CHECK_STR(json_text_at(object, "spec.powerState", NULL), "Running");
    CHECK_STR(json_text_at(object, "spec.restartPolicy", NULL), "OnFailure");
    CHECK_STR(json_text_at(object, "spec.bootOrder[1]", NULL), "CDROM");
    CHECK(json_bool_at(object, "spec.console.vnc", false));
    CHECK(json_at(object, "status") == NULL);
}

TEST(what_is_there_is_not_touched)
{
    auto_json json_t *object = parse("{\"spec\":{\"networks\":[],\"cpus\":4,\"guestAgent\":false,"
                                     "\"console\":{\"vnc\":false}}}");

    kind_default(&kind_instance, object);
    CHECK(json_is_array(json_at(object, "spec.networks")));
    CHECK_EQ(json_array_size(json_at(object, "spec.networks")), 0);
    CHECK_EQ(json_int_at(object, "spec.cpus", 0), 4);
    CHECK(!json_bool_at(object, "spec.guestAgent", true));
    CHECK(!json_bool_at(object, "spec.console.vnc", true));
}

TEST(null_counts_as_absent)
{
    auto_json json_t *object = parse("{\"spec\":{\"cpus\":null}}");

    kind_default(&kind_instance, object);
    CHECK_EQ(json_int_at(object, "spec.cpus", 0), 1);
}

TEST(items_of_lists_get_their_defaults)
{
    auto_json json_t *object = parse("{\"spec\":{\"disks\":[{\"name\":\"a\"},7]}}");

    kind_default(&kind_instance, object);
    CHECK(json_is_false(json_at(object, "spec.disks[0].readOnly")));
    CHECK_EQ(json_int_at(object, "spec.disks[1]", 0), 7);
}

TEST(defaults_applied_twice_are_the_same)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        auto_json json_t *object = parse("{\"metadata\":{\"name\":\"a\"},\"spec\":{}}");
        kind_default(*kind, object);
        auto_json json_t *once = json_deep_copy(object);
        kind_default(*kind, object);
        CHECK(json_equal(object, once));
    }
}

TEST(what_is_no_object_survives_defaulting)
{
    static const char *const texts[] = { "{\"spec\":7}", "{\"spec\":[]}", "{\"spec\":{\"rootDisk\":\"x\"}}",
                                         "{\"data\":[],\"stringData\":[1]}", "{}" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (const struct kind *const *kind = all_kinds; *kind; kind++) {
            auto_json json_t *object = parse(texts[i]);
            auto_causes struct causes causes = { 0 };
            kind_default(*kind, object);
            kind_validate(*kind, object, NULL, &causes);
            CHECK(causes.count > 0); /* at least the name is missing */
        }
}

/* --- reading back --- */

TEST(views_read_what_was_stored)
{
    auto_json json_t *object = parse("{\"metadata\":{\"name\":\"a\"},\"spec\":{\"memory\":\"1Gi\",\"cpus\":2,"
                                     "\"guestAgent\":true,\"stopTimeout\":\"1m30s\","
                                     "\"restartAt\":\"1970-01-01T00:00:01Z\",\"disks\":[{\"name\":\"d\"}],"
                                     "\"rootDisk\":{\"size\":1048576}}}");

    CHECK_STR(view_text(&kind_instance, object, "metadata.name"), "a");
    CHECK_EQ(view_bytes(&kind_instance, object, "spec.memory"), 1 << 30);
    CHECK_EQ(view_bytes(&kind_instance, object, "spec.rootDisk.size"), 1 << 20);
    CHECK_EQ(view_int(&kind_instance, object, "spec.cpus"), 2);
    CHECK(view_bool(&kind_instance, object, "spec.guestAgent"));
    CHECK_EQ(view_duration_ms(&kind_instance, object, "spec.stopTimeout"), 90000);
    CHECK_EQ(view_time_ms(&kind_instance, object, "spec.restartAt"), 1000);
    CHECK_EQ(json_array_size(view_list(&kind_instance, object, "spec.disks")), 1);
    CHECK(json_is_object(view_value(&kind_instance, object, "spec.rootDisk")));
}

TEST(views_of_what_is_absent_are_zero)
{
    auto_json json_t *object = json_object();

    CHECK(view_text(&kind_instance, object, "spec.image") == NULL);
    CHECK_EQ(view_bytes(&kind_instance, object, "spec.memory"), 0);
    CHECK_EQ(view_int(&kind_instance, object, "spec.cpus"), 0);
    CHECK(!view_bool(&kind_instance, object, "spec.guestAgent"));
    CHECK_EQ(view_duration_ms(&kind_instance, object, "spec.stopTimeout"), 0);
    CHECK_EQ(view_time_ms(&kind_instance, object, "spec.restartAt"), 0);
    CHECK(view_list(&kind_instance, object, "spec.disks") == NULL);
    CHECK(view_value(&kind_instance, object, "spec.rootDisk") == NULL);
}
