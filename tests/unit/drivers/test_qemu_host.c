#include "check.h"
#include "drivers/compute/qemu/host.h"
#include "base/str.h"
#include "drivers/compute/qemu/schema.h"
#include "qmp_schema.h"
#include <string.h>

TEST(the_schema_answers_what_this_qemu_can_do)
{
    static const struct {
        const char *path;
        bool is_there;
    } rows[] = {
        { "screendump", true },
        { "screendump/format", true },
        { "screendump/format/^png", true },
        { "screendump/format/^jpeg", false },
        { "screendump/colour", false },
        { "screenshot", false },
        { "blockdev-add/+file/aio/^io_uring", true },
        { "blockdev-add/+file/aio/^magic", false },
        { "blockdev-add/+nfs/aio", false },
        { "blockdev-add/discard", true },
        { "migrate-set-capabilities/capabilities/capability/^x-ignore-shared", true },
        { "STOP", false },
        { "", false },
    };
    auto_clean(qmp_schema_free_auto) struct qmp_schema *schema = qmp_schema_load_chosen();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (schema_has(qmp_schema_entries(schema), rows[i].path) != rows[i].is_there)
            check_fail(CHECK_HERE, "%s: should be %d", rows[i].path, rows[i].is_there);
    }
}

TEST(the_answers_of_a_binary_become_facts)
{
    auto_clean(qmp_schema_free_auto) struct qmp_schema *schema = qmp_schema_load_chosen();
    auto_free char *entries = json_text(qmp_schema_entries(schema));
    auto_free char *text = str_printf(
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 3, \"minor\": 0, \"major\": 10}}}}\r\n"
        "{\"return\": {}, \"id\": 1}\r\n"
        "{\"return\": [{\"name\": \"pc-q35-9.2\"}, {\"name\": \"pc-q35-10.0\", \"alias\": "
        "\"q35\"}],"
        " \"id\": 2}\r\n"
        "{\"return\": %s, \"id\": 3}\r\n"
        "{\"event\": \"SHUTDOWN\"}\r\n",
        entries);
    struct err err;
    auto_json json_t *facts = qemu_host_read_answers(text, strlen(text), &err);

    CHECK(facts);
    CHECK_STR(json_text_at(facts, "version", ""), "10.0.3");
    CHECK_STR(json_text_at(facts, "machineType", ""), "pc-q35-10.0");
    CHECK(json_bool_at(facts, "png", false));
    CHECK(json_bool_at(facts, "ioUring", false));
}

TEST(a_binary_that_says_less_is_refused)
{
    static const char *const rows[] = { "", "\n\n", "{\"QMP\": {}}\n", "hello\n" };
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK(!qemu_host_read_answers(rows[i], strlen(rows[i]), &err));
}

TEST(kvm_needs_the_processor_to_offer_it)
{
    CHECK(!qemu_host_cpu_reason("flags\t\t: fpu vmx sse\n"));
    CHECK(!qemu_host_cpu_reason("flags\t\t: fpu svm\n"));
    CHECK(qemu_host_cpu_reason("flags\t\t: fpu svm_lock vmxnet\n"));
    CHECK(qemu_host_cpu_reason(""));
}
