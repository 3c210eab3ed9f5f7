#include "check.h"
#include "kinds/tables/tables.h"
#include "base/str.h"

enum { NOON = 43200000, LATER = NOON + 60000 };

static json_t *object_of_generation(int generation)
{
    return json_pack("{s:{s:s,s:i}}", "metadata", "name", "a", "generation", generation);
}

TEST(a_condition_that_is_new_is_added_whole)
{
    auto_json json_t *object = object_of_generation(3);

    CHECK(condition_set(object, "Ready", "False", "Waiting", "for disks", NOON));
    CHECK_EQ(json_array_size(json_at(object, "status.conditions")), 1);
    CHECK_STR(json_text_at(object, "status.conditions[0].type", NULL), "Ready");
    CHECK_STR(json_text_at(object, "status.conditions[0].status", NULL), "False");
    CHECK_STR(json_text_at(object, "status.conditions[0].reason", NULL), "Waiting");
    CHECK_STR(json_text_at(object, "status.conditions[0].message", NULL), "for disks");
    CHECK_EQ(json_int_at(object, "status.conditions[0].observedGeneration", 0), 3);
    CHECK_STR(json_text_at(object, "status.conditions[0].lastTransitionTime", NULL),
              "1970-01-01T12:00:00Z");
    CHECK(!condition_is_true(object, "Ready"));
}

TEST(saying_the_same_again_changes_nothing)
{
    auto_json json_t *object = object_of_generation(1);

    (void)condition_set(object, "Ready", "True", "Ready", NULL, NOON);
    auto_json json_t *before = json_deep_copy(object);
    CHECK(!condition_set(object, "Ready", "True", "Ready", "", LATER));
    CHECK(json_equal(object, before));
}

TEST(the_time_moves_only_when_the_status_does)
{
    auto_json json_t *object = object_of_generation(1);

    (void)condition_set(object, "Ready", "False", "A", "a", NOON);
    CHECK(condition_set(object, "Ready", "False", "B", "b", LATER));
    CHECK_STR(json_text_at(object, "status.conditions[0].lastTransitionTime", NULL),
              "1970-01-01T12:00:00Z");
    CHECK_STR(json_text_at(object, "status.conditions[0].message", NULL), "b");
    CHECK(condition_set(object, "Ready", "True", "B", "b", LATER));
    CHECK_STR(json_text_at(object, "status.conditions[0].lastTransitionTime", NULL),
              "1970-01-01T12:01:00Z");
}

TEST(a_new_generation_is_noted_even_when_nothing_else_changes)
{
    auto_json json_t *object = object_of_generation(1);

    (void)condition_set(object, "Ready", "True", "Ready", "", NOON);
    json_set_at(object, "metadata.generation", json_integer(2));
    CHECK(condition_set(object, "Ready", "True", "Ready", "", LATER));
    CHECK_EQ(json_int_at(object, "status.conditions[0].observedGeneration", 0), 2);
}

TEST(conditions_are_told_apart_by_type)
{
    auto_json json_t *object = object_of_generation(1);

    (void)condition_set(object, "A", "True", "R", "", NOON);
    (void)condition_set(object, "B", "Unknown", "R", "", NOON);
    CHECK_EQ(json_array_size(json_at(object, "status.conditions")), 2);
    CHECK(condition_is_true(object, "A"));
    CHECK(!condition_is_true(object, "B"));
    CHECK(!condition_is_true(object, "C"));
    CHECK(condition_get(object, "C") == NULL);
    CHECK(condition_get(object, "B") == json_at(object, "status.conditions[1]"));
}

TEST(what_is_set_passes_the_validation_of_every_kind_that_has_conditions)
{
    auto_json json_t *object = object_of_generation(1);
    auto_causes struct causes causes = { 0 };

    (void)condition_set(object, "Ready", "True", "Ready", "all is well", NOON);
    kind_validate(&kind_host, object, NULL, &causes);
    CHECK_EQ(causes.count, 0);
}

TEST(a_message_that_is_no_text_is_repaired_and_stays)
{
    auto_json json_t *object = json_object();

    CHECK(condition_set(object, "Ready", "False", "Failed", "no \xff\033[2J\r\n", 1000));
    CHECK_STR(json_text_at(condition_get(object, "Ready"), "message", NULL), "no \xef\xbf\xbd [2J");
    CHECK(!condition_set(object, "Ready", "False", "Failed", "no \xff\033[2J\r\n", 2000));
}
