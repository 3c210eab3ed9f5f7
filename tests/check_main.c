/* tests/check_main.c - main() of every unit test: "test_map" or "test_map 'take_*'". */
#include "check_run.h"
#include <stdlib.h>

int main(int argc, char **argv)
{
    return check_run_all(argc > 1 ? argv[1] : NULL) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
