/* control/strangers.h - what is on this host and belongs to no object. */
#pragma once
#include "control/control.h"

/* Looks at everything once; to be called when all stored objects are known. Blocks for listings. */
void strangers_find(struct control *control);
/* Says on the Host in work what was found, and removes what its annotation
 * virga.dev/remove-unknown names by uid. */
void strangers_show(struct work *work);
/* Is any volume here unknown? It may stand on any image. */
bool strangers_have_volume(struct control *control);
/* Is a machine that is unknown connected to the network? */
bool strangers_have_port(struct control *control, const char *network_uid);
