/* daemon/audit.h - who changed what: JSON lines, each bound to the one before by its hash.
 *
 * STATE/audit/audit.log is append-only. The last members of a line are "previous", the hash of the
 * line before it, and "hash", the SHA-256 of its own text up to there. So a byte that is changed
 * anywhere, and a line that is removed or inserted, shows; only lines cut off the end do not.
 * A log that has grown to AUDIT_FILE_SIZE_MAX becomes audit.log.1, that one audit.log.2 and so on;
 * the oldest goes. The chain runs through all of them. */
#pragma once
#include "base/json.h"

enum { AUDIT_FILE_SIZE_MAX = 64 * 1024 * 1024, AUDIT_FILES_KEPT = 16 };

struct audit;
/* A line torn by a power loss is taken away; an entry says so. */
struct audit *audit_open(const char *state_dir, struct err *err);
/* What cannot be written is counted: the first entry that can be tells how many were lost. */
void audit_write(struct audit *audit, const json_t *entry);
void audit_close(struct audit *audit); /* NULL is fine */

enum { AUDIT_HASH_LENGTH = 64 };

struct audit_summary {
    int64_t lines;
    char hash[AUDIT_HASH_LENGTH + 1]; /* of the last line: kept elsewhere, it shows what is cut off */
};
/* Reads all files; ERR_CONFLICT names the file and line where the chain is broken. Blocking.
 * 'ret_summary' may be NULL. */
int audit_verify(const char *state_dir, struct audit_summary *ret_summary, struct err *err);
char *audit_path(const char *state_dir); /* of the newest file. Owned */

/* For tests: a log that rotates at 'size_max' bytes. */
void audit_limit(struct audit *audit, size_t size_max);
