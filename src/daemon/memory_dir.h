/* daemon/memory_dir.h - where the memory of frozen machines lies. */
#pragma once
#include "daemon/config.h"

/* The directory, which need not be there yet; NULL: no tmpfs is, and the run directory has to do. Owned. */
char *memory_dir_of(const struct config *config);
