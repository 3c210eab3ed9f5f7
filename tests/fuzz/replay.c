/* tests/fuzz/replay.c - main() of a fuzz target without a fuzzer: every file of the folders
 * named as arguments goes in whole, and short ones cut at every length as well, each in
 * a buffer of exactly its size. Fails when there is nothing to replay. */
#include "fuzz.h"
#include "base/files.h"
#include "base/mem.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_SIZE_MAX = 1 << 20, CUT_SIZE_MAX = 400 };

static void run_one(const char *bytes, size_t size)
{
    uint8_t *copy = mem_copy(bytes, size);

    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *path)
{
    auto_buf struct buf input = { 0 };
    struct err err;

    if (file_read(path, INPUT_SIZE_MAX, &input, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    run_one(input.bytes, input.size);
    if (input.size <= CUT_SIZE_MAX)
        for (size_t size = 0; size < input.size; size++)
            run_one(input.bytes, size);
    return 0;
}

/* How many inputs were replayed, or -1. */
static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int count = 0;

    if (!dir) {
        perror(folder);
        return -1;
    }
    while (count >= 0 && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        auto_free char *path = str_printf("%s/%s", folder, entry->d_name);
        count = replay_file(path) < 0 ? -1 : count + 1;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);

        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs\n", total);
    return total > 0 ? 0 : 1;
}
