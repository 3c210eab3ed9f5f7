/* drivers/marks.h - marks (SO_MARK) that drivers of different families agree on. */
#pragma once

/* On a listening socket: guests of networks may reach it, at their network's gateway or on the host.
 * Everything else there is hidden from them. */
#define MARK_SERVED 0x76670001
#define MARK_SERVED_TEXT "0x76670001"
