/* drivers/compute/changes.h - which machines changed since the caller was last told.
 *
 * Gathers uids and reports each once, later from the loop, so that a driver may
 * note a change anywhere, also inside a call of its user. */
#pragma once
#include "drivers/compute.h"

struct changes {
    const struct compute_setup *setup; /* borrowed */
    struct map *uids;
    struct loop_source *report;
};

void changes_init(struct changes *changes, const struct compute_setup *setup);
void changes_done(struct changes *changes); /* what was not yet reported is forgotten */
void changes_add(struct changes *changes, const char *uid);
