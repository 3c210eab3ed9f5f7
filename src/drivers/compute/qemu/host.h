/* drivers/compute/qemu/host.h - what the QEMU binary and the host offer to machines. */
#pragma once
#include "base/err.h"
#include <sys/types.h>

struct qemu_host {
    char binary[256];      /* path of qemu-system-x86_64 */
    char version[32];      /* "7.2.22" */
    char machine_type[32]; /* newest q35, versioned: "pc-q35-7.2" */
    bool has_io_uring;     /* QEMU has it and the kernel allows it */
    bool has_png;          /* screendump writes PNG */
    char ovmf_code[128];   /* UEFI firmware and its variables' template; "": none */
    char ovmf_vars[128];
    bool kvm_usable;
    char kvm_reason[128]; /* why not */
    gid_t kvm_gid;        /* group that may open /dev/kvm; 0: everybody may */
};
