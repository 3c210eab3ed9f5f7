/* control/admit.h - the parts of admission, for the files of it. */
#pragma once
#include "control/control.h"

/* A cause at 'field' when no object of that kind and name is there; NULL name is fine. */
void admit_exists(struct control *control, const struct kind *kind, const char *namespace_name,
                  const char *name, const char *field, struct causes *causes);
void admit_balancer(struct control *control, const json_t *object, const json_t *old,
                    struct causes *causes);
void admit_instance_group(struct control *control, const json_t *object, struct causes *causes);
void admit_autoscaler(struct control *control, const json_t *object, struct causes *causes);
void admit_instance(struct control *control, const json_t *object, const json_t *old,
                    struct causes *causes);
