/* tests/check_run.h - running the tests, for a main() of one's own. */
#pragma once

/* Runs the registered tests whose name matches 'filter' (with * and ?; NULL: all).
 * Returns how many failed, or -1 when there is nothing to run. */
int check_run_all(const char *filter);
