/* drivers/storage/directory/bundle.h - image.json of a bundle: a tar archive with a disk and,
 * for booting without a boot loader, a kernel. Pure.
 *
 *   { "format": "virga-bundle/1", "name": "micro", "architecture": "x86_64", "os": "Debian 12",
 *     "defaultUser": "root", "disk": "disk.qcow2",
 *     "boot": { "kernel": "vmlinuz", "initrd": "initrd", "commandLine": "console=ttyS0" },
 *     "guestAgent": true }
 *
 * Names of members have no folders. image.json is the first member. */
#pragma once
#include "base/err.h"

enum {
    BUNDLE_MANIFEST_MAX = 64 * 1024,
    BUNDLE_NAME_SIZE = 101,
    BUNDLE_COMMAND_LINE_SIZE = 2048,
};

struct bundle {
    char architecture[32]; /* "": not said */
    char os[64], default_user[64];
    bool guest_agent;
    char disk[BUNDLE_NAME_SIZE];
    char kernel[BUNDLE_NAME_SIZE]; /* "": boots by firmware */
    char initrd[BUNDLE_NAME_SIZE]; /* "": none */
    char command_line[BUNDLE_COMMAND_LINE_SIZE];
};

/* ERR_INVALID names the field. */
int bundle_parse(const char *text, size_t size, struct bundle *ret_bundle, struct err *err);
