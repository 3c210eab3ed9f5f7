/* drivers/compute/fake/world.h - the inside of the fake: machines, guests, the driver. */
#pragma once
#include "base/map.h"
#include "base/random.h"
#include "drivers/compute/changes.h"
#include "drivers/compute/fake/fake.h"

struct fake_machine {
    struct compute_fake_world *world;
    char *uid;
    struct machine_config *config;
    struct machine_status status;
    unsigned slots;          /* for devices, free ones included; 0: without limit */
    bool has_process;
    bool is_heard; /* not found by the open driver, or its monitor has answered since */
    bool disk_is_full;
    int64_t held_bytes; /* of memory, that the guest does not give back */
    unsigned links_down; /* one bit per NIC */
    bool is_itself;      /* not its parent's double (any more) */
    unsigned load_milli;
    int64_t load_since_ms; /* loop time up to which status.usage.cpu_ns counts */
    struct loop_source *boot, *shutdown;
};

struct fake_driver;
struct fake_call;
struct fake_console;

struct compute_fake_world {
    struct loop *loop;
    struct compute_fake_options options;
    struct random_seeded random;
    struct map *machines;      /* uid: struct fake_machine */
    struct map *launches, *presses, *resets; /* uid: unsigned *, kept over release() */
    struct map *logs;          /* uid: char *, the name it was launched by; kept over release() */
    struct map *ignores_power; /* set of uids */
    struct map *frozen;        /* name: struct machine_config of what was frozen */
    pid_t next_pid;
    unsigned spare_slots;
    char identity_refusal[64]; /* "": guests take theirs */
    compute_fake_resize_fn *resize;
    void *resize_arg;
    compute_fake_agent_fn *agent;
    void *agent_arg;
    struct fake_driver *driver; /* open one, or NULL */
};

struct fake_driver {
    struct compute compute;
    struct compute_fake_world *world;
    bool owns_world;
    struct compute_setup setup;
    struct changes changes;
    struct compute_facts facts;
    struct fake_call *calls; /* under way */
    struct fake_console *consoles;
    struct loop_source *hear; /* what was found answers then */
};

bool fake_chance(struct compute_fake_world *world, unsigned permille);
int64_t fake_delay_ms(struct compute_fake_world *world);

void fake_count(struct map *counts, const char *uid); /* one more */
struct fake_machine *fake_machine_find(const struct compute_fake_world *world, const char *uid);
/* Writes down the intent: the machine is MACHINE_LAUNCHING without a process. */
struct fake_machine *fake_machine_new(struct compute_fake_world *world,
                                      const struct machine_config *config);
void fake_machine_launch(struct fake_machine *machine); /* the process appears */
void fake_machine_runs(struct fake_machine *machine);   /* its monitor answers */
void fake_machine_end(struct fake_machine *machine, enum machine_end end, const char *message);
void fake_machine_changed(struct fake_machine *machine);
void fake_machine_list_devices(struct fake_machine *machine);
unsigned fake_slots_used(const struct machine_config *config);
/* Ends the program when another process writes one of the files of 'disk'. */
void fake_assert_sole_writer(const struct fake_machine *machine, const struct machine_disk *disk);

void fake_guest_boot(struct fake_machine *machine);
void fake_guest_goes_on(struct fake_machine *machine); /* after a pause */
void fake_guest_press_power(struct fake_machine *machine);
void fake_guest_stop(struct fake_machine *machine);    /* forgets what it was about to do */
void fake_guest_account(struct fake_machine *machine); /* processor time up to now */
json_t *fake_guest_agent(struct fake_machine *machine, const char *command, const json_t *arguments,
                         struct err *err);
struct map *fake_frozen_new(void);
int fake_frozen_check(const struct compute_fake_world *world, const struct machine_config *config,
                      struct err *err);
bool fake_guest_executes(const struct fake_machine *machine);

/* One end of a stream whose other end greets and says again what it hears; -1 and 'err'. */
int fake_console_open(struct fake_driver *driver, const char *greeting, struct err *err);
void fake_consoles_close(struct fake_driver *driver);
