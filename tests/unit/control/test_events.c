/* tests/unit/control/test_events.c - what of much that happens is told. */
#include "site.h"
#include "control/internal.h"

TEST(what_goes_wrong_is_told_though_much_went_well_before)
{
    begin(1);
    create_image();
    loop_sim_advance(site.loop, 1000);
    auto_json json_t *object = control_find(site.control, &kind_image, NULL, "debian");
    struct recorder *recorder = site.control->recorder;

    CHECK(object);
    for (int i = 0; i < 100; i++) {
        auto_free char *message = str_printf("member %d serves", i);
        recorder_record(recorder, &kind_image, object, "Normal", "MemberReady", message);
    }
    recorder_record(recorder, &kind_image, object, "Warning", "JoinFailed", "no");
    loop_sim_advance(site.loop, 1000);
    CHECK_EQ(events_of("debian", "JoinFailed"), 1);
    CHECK(events_of("debian", "MemberReady") < 100);
    end();
}
