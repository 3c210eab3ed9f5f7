/* The tables themselves: every field documented, every name that they mention declared. */
#include "check.h"
#include "kinds/names.h"
#include "kinds/tables/tables.h"
#include "base/str.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef void visit_field(const struct field *field, const char *path, bool is_named);

static void walk_field(const struct field *field, const char *path, bool is_named, visit_field *visit)
{
    visit(field, path, is_named);
    if (field->item) {
        auto_free char *below = str_printf("%s[]", path);
        walk_field(field->item, below, /*is_named=*/false, visit);
    }
    for (const struct field *part = field->fields; part && part->name; part++) {
        auto_free char *below = str_printf("%s.%s", path, part->name);
        walk_field(part, below, /*is_named=*/true, visit);
    }
}

static void walk_table(const struct field *fields, const char *path, visit_field *visit)
{
    for (const struct field *field = fields; field && field->name; field++) {
        auto_free char *below = str_printf("%s.%s", path, field->name);
        walk_field(field, below, /*is_named=*/true, visit);
    }
}

static void walk_all(visit_field *visit)
{
    walk_table(kind_metadata_fields(), "metadata", visit);
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        walk_table((*kind)->fields, (*kind)->name, visit);
        for (const struct connect *connect = (*kind)->connects; connect && connect->name; connect++)
            walk_table(connect->options, connect->name, visit);
    }
}

static void check_sentence(const char *text, const char *where)
{
    if (str_is_empty(text))
        check_fail(CHECK_HERE, "%s is not documented", where);
    if (!str_ends(text, "."))
        check_fail(CHECK_HERE, "%s: \"%s\" does not end as a sentence", where, text);
    if (islower((unsigned char)text[0]) && !str_starts(text, "cloud-init"))
        check_fail(CHECK_HERE, "%s: \"%s\" does not begin as a sentence", where, text);
    if (strstr(text, "  ") || strchr(text, '\n'))
        check_fail(CHECK_HERE, "%s: \"%s\" has stray blanks", where, text);
}

static void check_documented(const struct field *field, const char *path, bool is_named)
{
    if (is_named)
        check_sentence(field->doc, path);
}

TEST(every_field_is_documented_with_a_sentence) { walk_all(check_documented); }

TEST(every_kind_and_connection_is_documented_with_a_sentence)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        check_sentence((*kind)->doc, (*kind)->name);
        for (const struct connect *connect = (*kind)->connects; connect && connect->name; connect++)
            check_sentence(connect->doc, connect->name);
    }
}

static void check_shape(const struct field *field, const char *path, bool is_named)
{
    bool has_items = field->type == FIELD_LIST || field->type == FIELD_MAP;

    if (field->type >= FIELD_TYPE_COUNT)
        check_fail(CHECK_HERE, "%s has no type", path);
    if ((field->type == FIELD_OBJECT) != (field->fields != NULL))
        check_fail(CHECK_HERE, "%s: an object, and nothing else, has fields", path);
    if (has_items != (field->item != NULL))
        check_fail(CHECK_HERE, "%s: a list or map, and nothing else, has items", path);
    if ((field->type == FIELD_ENUM) != (field->values != NULL))
        check_fail(CHECK_HERE, "%s: an enum, and nothing else, has values", path);
    if (field->min > field->max && field->max)
        check_fail(CHECK_HERE, "%s: its least is more than its most", path);
    if (!is_named && (field->flags || field->fallback))
        check_fail(CHECK_HERE, "%s: an item has no flags and no default", path);
    if ((field->flags & FIELD_REQUIRED) && field->fallback)
        check_fail(CHECK_HERE, "%s is required and has a default", path);
    if ((field->flags & FIELD_GROWS) && field->type != FIELD_QUANTITY)
        check_fail(CHECK_HERE, "%s grows but is no quantity", path);
    if ((field->flags & (FIELD_LIST_SET | FIELD_LIST_DISTINCT)) && (field->type != FIELD_LIST || field->key))
        check_fail(CHECK_HERE, "%s: only a list without a key can be a set", path);
}

TEST(every_field_has_what_its_type_needs) { walk_all(check_shape); }

static void check_key(const struct field *field, const char *path, bool is_named)
{
    const struct field *key;

    if (!field->key)
        return;
    key = field->item->type == FIELD_OBJECT ? field_find(field->item->fields, field->key) : NULL;
    if (field->type != FIELD_LIST || !key)
        check_fail(CHECK_HERE, "%s: key \"%s\" is no field of its items", path, field->key);
    if (!(key->flags & FIELD_REQUIRED))
        check_fail(CHECK_HERE, "%s: key \"%s\" is not required", path, field->key);
}

TEST(keys_of_lists_are_required_fields_of_their_items) { walk_all(check_key); }

static void check_fallback(const struct field *field, const char *path, bool is_named)
{
    const struct field table[] = { *field, { 0 } };
    const struct kind kind = { .group = "", .version = "v1", .name = "K", .fields = table };
    auto_causes struct causes causes = { 0 };

    if (!field->fallback || !is_named)
        return;
    auto_json json_t *object = json_pack("{s:{s:s}}", "metadata", "name", "a");
    auto_json json_t *value = json_loads(field->fallback, JSON_DECODE_ANY, NULL);
    if (!value)
        check_fail(CHECK_HERE, "%s: default %s is no JSON", path, field->fallback);
    kind_default(&kind, object);
    kind_validate(&kind, object, NULL, &causes);
    if (causes.count)
        check_fail(CHECK_HERE, "%s: its own default: %s", path, causes.items[0].message);
}

TEST(defaults_pass_their_own_validation) { walk_all(check_fallback); }

static bool is_declared(const struct kind *kind, const char *path)
{
    auto_free char *bare = str_dup(path);
    char *brackets = strstr(bare, "[*]");

    if (brackets)
        memmove(brackets, brackets + 3, strlen(brackets + 3) + 1);
    return kind_field(kind, bare) != NULL;
}

TEST(columns_show_declared_fields)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        const struct kind *shown = (*kind)->stored_as ? (*kind)->stored_as : *kind; /* rows are of what is stored */
        const struct column *column = (*kind)->columns;

        CHECK(column && column->name);
        for (; column->name; column++) {
            if (!is_declared(shown, column->path))
                check_fail(CHECK_HERE, "%s: column %s shows %s, which is no field", (*kind)->name,
                           column->name, column->path);
            if (str_is_empty(column->doc))
                check_fail(CHECK_HERE, "%s: column %s is not documented", (*kind)->name, column->name);
            if (column->priority != 0 && column->priority != 1)
                check_fail(CHECK_HERE, "%s: column %s has a priority of its own", (*kind)->name,
                           column->name);
        }
    }
}

static const char *column_type(const struct field *field)
{
    switch (field->type) {
    case FIELD_INT:
    case FIELD_PORT:
        return "integer";
    case FIELD_NUMBER:
        return "number";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_TIME:
        return "date";
    default:
        return "string";
    }
}

TEST(columns_have_the_type_of_their_field)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        for (const struct column *column = (*kind)->columns; column->name; column++)
            if (!strstr(column->path, "[*]"))
                CHECK_STR(column->type, column_type(kind_field(*kind, column->path)));
}

TEST(selectable_fields_are_declared_scalars)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        for (const char *const *path = (*kind)->selectable; path && *path; path++) {
            const struct field *field = kind_field(*kind, *path);

            /* The old name that clients use for what is source.component and reportingComponent. */
            if (*kind == &kind_event && str_equal(*path, "source"))
                continue;
            if (!field || field->type == FIELD_OBJECT || field->type == FIELD_LIST)
                check_fail(CHECK_HERE, "%s: %s is no scalar field", (*kind)->name, *path);
        }
}

TEST(a_status_subresource_has_a_status_field)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if ((*kind)->flags & KIND_HAS_STATUS)
            CHECK(field_find((*kind)->fields, "status") != NULL);
}

TEST(each_of_our_kinds_reports_conditions_and_the_generation_it_answers)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        if (!str_equal((*kind)->group, VIRGA_GROUP))
            continue;
        CHECK(kind_field(*kind, "status.conditions.lastTransitionTime") != NULL);
        CHECK(kind_field(*kind, "status.observedGeneration") != NULL);
        CHECK(kind_field(*kind, "status.phase") != NULL);
    }
}

static bool shares_a_name(const struct kind *kind, const struct kind *other)
{
    for (const char *const *name = kind->short_names; name && *name; name++)
        if (kind_find_name(*name) != kind)
            return true;
    return str_equal(kind->group, other->group) &&
           (str_equal(kind->plural, other->plural) || str_equal(kind->name, other->name));
}

TEST(names_of_kinds_are_well_formed_and_their_own)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        CHECK(name_is_label((*kind)->plural));
        CHECK(name_is_label((*kind)->singular));
        CHECK(isupper((unsigned char)(*kind)->name[0]));
        for (const struct kind *const *other = all_kinds; *other; other++)
            if (*other != *kind && !(*kind)->stored_as && (*other)->stored_as != *kind && shares_a_name(*kind, *other))
                check_fail(CHECK_HERE, "%s and %s share a name", (*kind)->name, (*other)->name);
    }
}

TEST(another_version_is_of_a_kind_that_comes_before_it_and_has_its_names)
{
    unsigned found = 0;

    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        const struct kind *stored = (*kind)->stored_as;

        if (!stored)
            continue;
        found++;
        CHECK_STR(stored->group, (*kind)->group);
        CHECK_STR(stored->plural, (*kind)->plural);
        CHECK(kind_find_name((*kind)->plural) == stored);
        CHECK((*kind)->show && (*kind)->take);
    }
    CHECK_EQ(found, 1);
}

TEST(kinds_are_found_by_each_of_their_names)
{
    CHECK(kind_find("virga.dev", "v1", "instances") == &kind_instance);
    CHECK(kind_find("", "v1", "instances") == NULL);
    CHECK(kind_find("virga.dev", "v2", "instances") == NULL);
    CHECK(kind_find_object("virga.dev/v1", "Instance") == &kind_instance);
    CHECK(kind_find_object("v1", "Secret") == &kind_secret);
    CHECK(kind_find_object("v1", "Instance") == NULL);
    CHECK(kind_find_object("virga.dev/v1", "instance") == NULL);
    CHECK(kind_find_name("VM") == &kind_instance);
    CHECK(kind_find_name("instances") == &kind_instance);
    CHECK(kind_find_name("Instance") == &kind_instance);
    CHECK(kind_find_name("nope") == NULL);
    CHECK(kind_find_name("") == NULL);
}

TEST(fields_are_found_through_lists_and_maps_by_whole_names_only)
{
    CHECK_EQ(kind_field(&kind_instance, "spec.disks.volume")->type, FIELD_SUBDOMAIN);
    CHECK_EQ(kind_field(&kind_instance, "metadata.labels")->type, FIELD_MAP);
    CHECK(kind_field(&kind_instance, "spec.disk") == NULL);
    CHECK(kind_field(&kind_instance, "spec.disksx") == NULL);
    CHECK(kind_field(&kind_instance, "spec..cpus") == NULL);
    CHECK(kind_field(&kind_instance, "spec.cpus.more") == NULL);
    CHECK(kind_field(&kind_instance, "") == NULL);
}

TEST(what_is_confidential_is_marked_so)
{
    CHECK(kind_field(&kind_secret, "data")->flags & FIELD_SECRET);
    CHECK(kind_field(&kind_secret, "stringData")->flags & FIELD_SECRET);
    CHECK(kind_field(&kind_instance, "spec.userData")->flags & FIELD_SECRET);
}
