/* drivers/compute/qemu/host.h - what the QEMU binary and the host offer to machines. */
#pragma once
#include "base/err.h"
#include "base/json.h"
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

/* Finds the binary (VIRGA_QEMU or PATH), asks it (about 60 ms, once per binary: the answer is
 * kept in 'cache_path' by path, size and time), and looks at the host. Blocking.
 * ERR_NOT_FOUND: no QEMU. */
int qemu_host_probe(struct qemu_host *ret_host, const char *cache_path, struct err *err);

/* --- the parts, for tests --- */

/* The binary's answers, one message per line, to facts as they are cached. NULL and 'err'. */
json_t *qemu_host_read_answers(const char *text, size_t size, struct err *err);
/* Why KVM cannot be used by the look of /proc/cpuinfo; NULL: it offers virtualization. */
const char *qemu_host_cpu_reason(const char *cpuinfo);
