/* tests/fuzz/fuzz.h - what a fuzz target needs: its entry point and copies that end
 * where the input ends, so that the sanitizer sees a read beyond it. */
#pragma once
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
