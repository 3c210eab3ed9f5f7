/* drivers/storage/directory/image_checksum.c - digests of staged files. */
#include "base/auto.h"
#include "base/fault.h"
#include "base/mem.h"
#include "drivers/storage/directory/image_import.h"
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_SIZE = 1 << 20, SHA256_SIZE = 32, SHA512_SIZE = 64, HEX_SIZE_MAX = 129 };

/* What is expected: "sha256:HEX", "sha512:HEX", or HEX of either length. */
struct expected {
    const char *hex; /* NULL: nothing */
    bool is_sha512;
};

static int parse_expected(const char *text, struct expected *ret_expected, struct err *err)
{
    struct expected expected = { .hex = text };
    size_t length;

    *ret_expected = (struct expected){ 0 };
    if (!text || !text[0])
        return 0;
    if (str_starts(text, "sha256:") || str_starts(text, "sha512:"))
        expected.hex = text + 7;
    length = strlen(expected.hex);
    expected.is_sha512 = length == 2 * SHA512_SIZE;
    if ((length != 2 * SHA256_SIZE && length != 2 * SHA512_SIZE) ||
        strspn(expected.hex, "0123456789abcdefABCDEF") != length ||
        (str_starts(text, "sha256:") && expected.is_sha512) ||
        (str_starts(text, "sha512:") && !expected.is_sha512))
        return err_set(err, ERR_INVALID,
                       "checksum \"%.80s\": expected is \"sha256:\" and 64 or \"sha512:\" and 128 "
                       "hexadecimal digits",
                       text);
    *ret_expected = expected;
    return 0;
}

struct digests {
    gnutls_hash_hd_t sha256, sha512; /* sha512 NULL: not wanted */
};

static int digests_begin(struct digests *digests, bool wants_sha512, struct err *err)
{
    *digests = (struct digests){ 0 };
    if (gnutls_hash_init(&digests->sha256, GNUTLS_DIG_SHA256) < 0 ||
        (wants_sha512 && gnutls_hash_init(&digests->sha512, GNUTLS_DIG_SHA512) < 0))
        return err_set(err, ERR_INTERNAL, "no digest is available");
    return 0;
}

static void to_hex(const uint8_t *digest, size_t size, char *to)
{
    for (size_t i = 0; i < size; i++)
        snprintf(to + 2 * i, 3, "%02x", digest[i]);
}

static void digest_end(gnutls_hash_hd_t hash, size_t size, char *to)
{
    uint8_t digest[SHA512_SIZE] = { 0 };

    if (!hash)
        return;
    gnutls_hash_deinit(hash, digest);
    to_hex(digest, size, to);
}

static int digest_file(struct op *op, int fd, const struct digests *digests, struct err *err)
{
    auto_free uint8_t *chunk = mem_alloc(CHUNK_SIZE);

    for (off_t offset = 0;;) {
        ssize_t got = pread(fd, chunk, CHUNK_SIZE, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "read the image");
        if (got == 0)
            return 0;
        if (gnutls_hash(digests->sha256, chunk, (size_t)got) < 0 ||
            (digests->sha512 && gnutls_hash(digests->sha512, chunk, (size_t)got) < 0))
            return err_set(err, ERR_INTERNAL, "the digest failed");
        offset += got;
        atomic_store(&op->progress.bytes, offset);
        if (cancel_check(&op->cancel, err) < 0)
            return -1;
    }
}

static int compare(const struct expected *expected, const char *sha256, const char *sha512,
                   struct err *err)
{
    const char *found = expected->is_sha512 ? sha512 : sha256;

    if (!expected->hex || strcasecmp(expected->hex, found) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "checksum is %s, expected %s", found, expected->hex);
}

int image_checksum(struct op *op, int fd, char ret_sha256[65], struct err *err)
{
    char sha256[HEX_SIZE_MAX] = "", sha512[HEX_SIZE_MAX] = "";
    struct expected expected;
    struct digests digests;
    struct stat found;
    int result;

    if (parse_expected(op->checksum, &expected, err) < 0)
        return -1;
    if (fstat(fd, &found) < 0)
        return err_errno(err, "stat the image");
    op_step(op, "Checking", found.st_size);
    result = digests_begin(&digests, expected.is_sha512, err);
    if (result == 0)
        result = digest_file(op, fd, &digests, err);
    digest_end(digests.sha256, SHA256_SIZE, sha256);
    digest_end(digests.sha512, SHA512_SIZE, sha512);
    if (result < 0 || compare(&expected, sha256, sha512, err) < 0)
        return -1;
    snprintf(ret_sha256, 65, "%.64s", sha256);
    return 0;
}
