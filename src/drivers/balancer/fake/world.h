/* drivers/balancer/fake/world.h - the pretended proxies, shared by the files of the fake driver. */
#pragma once
#include "base/map.h"
#include "drivers/balancer/fake/fake.h"

struct fake_balancer {
    struct balancer_config *config;
    struct balancer_status status;
    struct map *loads; /* backend to struct balancer_fake_load */
    bool is_down;      /* it died, and is not back yet */
};

struct balancer_fake {
    struct map *balancers;   /* uid to struct fake_balancer */
    struct map *sick;        /* "10.0.0.2:80" as keys */
    struct map *taken_ports; /* "80" as keys */
    struct balancer_fake_settings settings;
    pid_t next_pid;
    struct balancer_fake_driver *driver; /* that has it open */
};

/* Changes of the world. */
void balfake_ensure(struct balancer_fake *fake, const struct balancer_config *config);
void balfake_remove(struct balancer_fake *fake, const char *uid);
struct fake_balancer *balfake_find(const struct balancer_fake *fake, const char *uid);
/* Works out status anew from config, health and load. */
void balfake_refresh(struct balancer_fake *fake, struct fake_balancer *balancer);

/* The driver that has the world open hears of a change. */
void balfake_driver_changed(struct balancer_fake_driver *driver, const char *uid);
void balfake_driver_back(struct balancer_fake_driver *driver, const char *uid, int64_t after_ms);
