/* api/exchange.h - the life of a request, as libmicrohttpd's callbacks see it. */
#pragma once
#include <microhttpd.h>

/* The first that is seen of a request: the target as it was sent, before any decoding. */
void *exchange_see_target(void *arg, const char *target, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *size, void **state);
void exchange_completed(void *arg, struct MHD_Connection *mhd, void **state,
                        enum MHD_RequestTerminationCode how);
