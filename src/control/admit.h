/* control/admit.h - the parts of admission, for the files of it. */
#pragma once
#include "control/control.h"

/* A cause at 'path', a number of processors or a quantity of memory, when this host never has so much. */
void admit_fits(struct control *control, const json_t *object, const char *path, struct causes *causes);
/* A cause at 'field' when no object of that kind and name is there; NULL name is fine. */
void admit_exists(struct control *control, const struct kind *kind, const char *namespace_name,
                  const char *name, const char *field, struct causes *causes);
void admit_balancer(struct control *control, const json_t *object, const json_t *old,
                    struct causes *causes);
void admit_instance_group(struct control *control, const json_t *object, const json_t *old,
                          struct causes *causes);
/* spec.replicas where the writer says nothing of it and the bounds leave out what it was. */
void fill_instance_group(struct control *control, json_t *object);
/* What the snapshot says that an instance, or a template of one, goes on from; NULL is fine. */
void fill_instance(struct control *control, const char *namespace_name, json_t *instance);
void admit_autoscaler(struct control *control, const json_t *object, struct causes *causes);
void admit_hpa(struct control *control, const json_t *object, struct causes *causes);
/* What a disk that is to stand on a snapshot's is asked to be. */
struct snapshot_disk {
    const char *pool, *pool_field;
    int64_t bytes; /* 0: as large */
    const char *size_field;
};
void admit_snapshot_disk(const json_t *snapshot, const json_t *object, const struct snapshot_disk *disk,
                         struct causes *causes);
void admit_instance_snapshot(struct control *control, const json_t *object, struct causes *causes);
/* Why an instance cannot go on from the snapshot's memory, beginning with the field; NULL: it can.
 * Owned. */
char *snapshot_misfit(const json_t *snapshot, const json_t *instance);
void admit_instance(struct control *control, const json_t *object, const json_t *old,
                    struct causes *causes);
