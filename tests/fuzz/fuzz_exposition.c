/* What members expose comes from guests. */
#include "elastic/exposition.h"
#include "fuzz.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = { "jobs", "requests_total", "a" };
    struct exposed exposed;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (exposition_find((const char *)bytes, size, names[i], &exposed))
            assert(exposed.series > 0 && isfinite(exposed.sum));
    return 0;
}
