/* daemon/memory_dir.h - where the memory of frozen machines lies. */
#pragma once
#include "daemon/config.h"

/* The directory, made when absent, private to us; NULL: no tmpfs is there or it is somebody else's, and
 * the run directory has to do. Owned. */
char *memory_dir_make(const struct config *config);
void memory_dir_remove(const struct config *config);
