/* drivers/storage/directory/volume_copy.h - volumes that begin as others. Blocking. */
#pragma once
#include "drivers/storage/directory/volume.h"

/* Make 'work'/disk.qcow2: all that volume op->volume_uid and what it stands on hold, in one file... */
int volume_copy(const struct op *op, const char *work, struct err *err);
/* ...or the file of op->twin_uid as it is. */
int volume_twin(const struct op *op, const char *work, struct err *err);
