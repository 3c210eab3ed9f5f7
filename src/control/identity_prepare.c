/* control/identity_prepare.c - leaves the program of guest/identity.h in a guest. */
#include "control/identity_prepare.h"
#include "control/guest_exec.h"
#include "base/mem.h"
#include "guest/identity.h"
#include <errno.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 20 * 1000, STATUS_NOT_EXECUTABLE = 126 };

/* The program comes by standard input, and is put where programs may be executed. Its status is the
 * error number. */
static const char script[] =
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
    "umask 077\n"
    "set -C\n" /* nobody else's file or link is written to */
    "file=\n"
    "for at in /root /var/tmp /tmp /run; do\n"
    "    new=$at/.virga-identity\n"
    "    rm -f $new\n"
    "    { cat $file >$new; } 2>/dev/null || continue\n"
    "    [ -z \"$file\" ] || rm -f $file\n"
    "    file=$new\n"
    "    chmod 700 $file; $file; status=$?\n"
    "    [ $status = 126 ] || break\n"
    "done\n"
    "[ ${status:-126} = 0 ] || rm -f $file\n"
    "exit ${status:-126}\n";

static void explain(int status, const char *output, struct err *ret_err)
{
    if (status == ENODEV)
        (void)err_set(ret_err, ERR_UNSUPPORTED,
                      "the instance runs since an earlier version of virgad: its memory can be taken once it was "
                      "restarted");
    else if (status == STATUS_NOT_EXECUTABLE)
        (void)err_set(ret_err, ERR_UNSUPPORTED,
                      "no program can be left in the guest to give forks an identity of their own: none of /root, "
                      "/var/tmp, /tmp and /run takes one for Linux on x86-64");
    else
        (void)err_set(ret_err, ERR_UNSUPPORTED,
                      "the program that gives forks an identity of their own does not run in the guest: status %d "
                      "%.150s",
                      status, output);
}

static void ended(void *arg, const struct err *err, int exit_code, const char *output)
{
    struct done *done = arg;
    struct err why;

    if (!err && exit_code != 0)
        explain(exit_code, output, &why);
    done_call(*done, err ? err : exit_code ? &why : NULL);
    free(done);
}

void identity_prepare(struct control *control, const char *uid, struct done done)
{
    static const char *const argv[] = { "/bin/sh", "-c", script, NULL };

    guest_exec(control, uid, argv, guest_identity_program, guest_identity_program_size, TIMEOUT_MS, ended,
               mem_copy(&done, sizeof done));
}
