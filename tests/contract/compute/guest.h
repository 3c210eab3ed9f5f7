/* tests/contract/compute/guest.h - the QEMU driver with a guest that has a system.
 *
 * VIRGA_MICRO names the folder of the micro image's bundle (images/README.md); without it the
 * program exits with 77, which Meson counts as skipped. Needs root. */
#pragma once
#include "rig_qemu.h"

extern struct rig rig;
extern const char *uid;    /* whom the tests talk to */
extern const char *bundle;
extern char space[];       /* a folder that is a small file system */

/* --- life --- */

struct machine_config *micro(void); /* the caller frees it */
/* The same machine as another, which goes on from what the first was frozen as. */
void make_fork(struct machine_config *config, const char *fork_uid, const char *frozen);
int open_tap(void);
/* Opens the rig and starts a micro guest with what 'change' (NULL: nothing) makes of micro(); it is
 * up when its agent is. */
void begin_with(void (*change)(struct machine_config *config));
void begin(void);
void end(void); /* kills and releases it, closes the rig */

/* --- looking --- */

struct machine_status observe(void);
bool agent_is_connected(void);
void turn_for(int64_t ms);
/* Runs the loop until 'holds', at most a minute. */
void wait_until(bool (*holds)(void), const char *what);
void run(const char *command); /* on the host */
json_t *ask_agent(const char *command, json_t *take_arguments, enum err_code wanted);
/* Runs a shell command in the guest; its output in base64. Owned by the caller. */
char *in_guest(const char *script);
void expect_in_guest(const char *script, const char *wanted_base64);
bool guest_says_yes(const char *script); /* its output is "yes" */
