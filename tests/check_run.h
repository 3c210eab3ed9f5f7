/* tests/check_run.h - what check_main.c needs of check.c. */
#pragma once

/* Runs the registered tests whose name matches 'filter' (with * and ?; NULL: all).
 * Returns the exit status. */
int check_run_all(const char *filter);
