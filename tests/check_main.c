/* tests/check_main.c - main() of every unit test: "test_map" or "test_map 'take_*'". */
#include "check_run.h"
#include <stddef.h>

int main(int argc, char **argv) { return check_run_all(argc > 1 ? argv[1] : NULL); }
