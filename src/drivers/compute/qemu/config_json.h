/* drivers/compute/qemu/config_json.h - a machine's configuration as it stands in its record. */
#pragma once
#include "base/json.h"
#include "drivers/compute.h"

json_t *config_to_json(const struct machine_config *config);
/* NULL and ERR_INVALID when it is none of ours. */
struct machine_config *config_from_json(const json_t *object, struct err *err);
