/* tests/fuzz/fuzz_protobuf.c - a request body in Kubernetes' protobuf. */
#include "fuzz.h"
#include "api/k8s_protobuf.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err = { 0 };
    auto_json json_t *object = k8s_protobuf_decode(bytes, size, &err);

    assert(object || (err.code && err.text[0]));
    if (object) {
        auto_free char *text = json_text(object); /* it can be written: all of it is UTF-8 */
        assert(text[0] == '{');
    }
    return 0;
}
