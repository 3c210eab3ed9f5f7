#include "check.h"
#include "api/index.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

static struct record record_of(const char *key, const char *bytes)
{
    struct record record = { .key = key, .bytes = bytes, .size = strlen(bytes) };

    record.extra = index_hook().make(NULL, &record);
    return record;
}

static void forget(struct record *record) { index_hook().free_extra(record->extra); }

TEST(labels_and_selectable_fields_are_read_once)
{
    struct record record = record_of("/virga.dev/instances/default/web",
                                     "{\"metadata\":{\"name\":\"web\",\"labels\":{\"app\":\"x\","
                                     "\"e\":\"\"}},\"spec\":{\"image\":"
                                     "\"debian\"},\"status\":{\"phase\":\"Running\"}}");

    CHECK_STR(index_label(&record, "app"), "x");
    CHECK_STR(index_label(&record, "e"), "");
    CHECK(index_label(&record, "none") == NULL);
    CHECK_STR(index_field(&record, "metadata.name"), "web");
    CHECK_STR(index_field(&record, "metadata.namespace"), "default");
    CHECK_STR(index_field(&record, "status.phase"), "Running");
    CHECK_STR(index_field(&record, "status.host"), "");
    CHECK(!index_has_owners(&record));
    forget(&record);
}

TEST(a_cluster_scoped_record_has_an_empty_namespace)
{
    struct record record =
        record_of("/core/namespaces//d",
                  "{\"metadata\":{\"name\":\"d\",\"ownerReferences\":[{\"uid\":\"u\"}]}}");

    CHECK_STR(index_namespace(&record), "");
    CHECK_STR(index_name(&record), "d");
    CHECK(index_kind(record.key) == kind_find("", "v1", "namespaces"));
    CHECK(index_has_owners(&record));
    forget(&record);
}

TEST(a_record_of_a_kind_that_is_gone_is_tolerated)
{
    struct record record =
        record_of("/old.dev/things/a/b", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}");

    CHECK(index_kind(record.key) == NULL);
    CHECK(index_kind("/x") == NULL);
    CHECK_STR(index_label(&record, "x"), "y");
    CHECK_STR(index_field(&record, "status.phase"), "");
    forget(&record);
}
