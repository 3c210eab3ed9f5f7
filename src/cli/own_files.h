/* cli/own_files.h - what the client keeps for its user: $XDG_DATA_HOME/virga, or
 * ~/.local/share/virga: known_hosts of instances, and an SSH key of its own. */
#pragma once
#include "base/err.h"
#include <stdbool.h>

/* The path of a file there; the folder is made. Owned; NULL on error. */
char *own_file(const char *name, struct err *err);

/* The public keys that are the user's own: ~/.ssh/id_*.pub, or else the one kept here, which is
 * made when 'makes'. Fills at most 'max' owned paths; returns how many, 0 when there is none. */
int own_public_keys(char **paths, int max, bool makes);
