/* tests/support/golden.h - texts that are compared with files under tests/golden.
 * VIRGA_GOLDEN=write rewrites them; the difference is then reviewed. */
#pragma once

/* Ends the test, naming the first line that differs, unless 'text' is what tests/golden/NAME
 * holds. */
void golden_check(const char *name, const char *text);
