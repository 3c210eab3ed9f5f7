#include "check.h"
#include "base/random.h"
#include <string.h>

TEST(uuids_are_version_four_and_differ)
{
    char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];

    random_uuid(a);
    random_uuid(b);
    CHECK(strcmp(a, b) != 0);
    CHECK_EQ(strlen(a), 36);
    CHECK_EQ(strspn(a, "0123456789abcdef-"), 36);
    for (size_t i = 0; i < 36; i++)
        CHECK_EQ(a[i] == '-', i == 8 || i == 13 || i == 18 || i == 23);
    CHECK_EQ(a[14], '4');
    CHECK(strchr("89ab", a[19]) != NULL);
}

TEST(suffixes_use_the_alphabet_of_kubernetes)
{
    char text[2001];
    char seen[256] = { 0 };
    unsigned different = 0;

    random_suffix(text, 2000);
    CHECK_EQ(strlen(text), 2000);
    CHECK_EQ(strspn(text, "bcdfghjklmnpqrstvwxz2456789"), 2000);
    for (size_t i = 0; i < 2000; i++)
        different += !seen[(unsigned char)text[i]]++;
    CHECK_EQ(different, 27);
    random_suffix(text, 0);
    CHECK_STR(text, "");
}

/* The first outputs of splitmix64 from state 1234567, as published with the algorithm. */
TEST(the_seeded_generator_is_splitmix64)
{
    struct random_seeded random = { 1234567 };

    CHECK(random_next(&random) == 6457827717110365317u);
    CHECK(random_next(&random) == 3203168211198807973u);
    CHECK(random_next(&random) == 9817491932198370423u);
}

TEST(drawing_below_a_limit_reaches_everything_below_it)
{
    struct random_seeded random = { 1 };
    unsigned counts[7] = { 0 };

    for (int i = 0; i < 7000; i++)
        counts[random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        CHECK(counts[i] > 800 && counts[i] < 1200);
    CHECK_EQ(random_below(&random, 1), 0);
    for (int i = 0; i < 100; i++)
        CHECK(random_below(&random, (uint64_t)3 << 62) < (uint64_t)3 << 62);
}

TEST(kernel_bytes_fill_exactly_what_is_asked)
{
    unsigned char bytes[600] = { 0 };
    unsigned zeros = 0;

    random_bytes(bytes, 599);
    for (size_t i = 0; i < 599; i++)
        zeros += !bytes[i];
    CHECK(zeros < 50);
    CHECK_EQ(bytes[599], 0);
    random_bytes(bytes, 0);
}

TEST(simulated_randomness_repeats_from_its_seed_until_it_ends)
{
    struct random_seeded random = { 7 };
    char first[UUID_TEXT_SIZE], again[UUID_TEXT_SIZE], other[UUID_TEXT_SIZE];

    random_simulate(&random);
    random_uuid(first);
    random_uuid(other);
    CHECK(strcmp(first, other) != 0);
    random.state = 7;
    random_uuid(again);
    CHECK_STR(again, first);
    random.state = 7;
    random_simulate(NULL);
    random_uuid(other);
    CHECK(strcmp(first, other) != 0);
}
