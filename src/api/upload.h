/* api/upload.h - a request body of any size, written to a descriptor as it comes.
 *
 * Writing may block (a file, a full disk), so it is done in a worker, one part at a time, while the
 * next part is collected. When both are full the connection is suspended: the client feels it. */
#pragma once
#include "api/connect.h"

enum { UPLOAD_PART_MAX = 1024 * 1024 };

void upload_start(struct api_call *call, int take_fd, api_upload_fn *end, void *arg);

/* For server.c: a piece of the body; the body is complete; the request is over. */
enum MHD_Result upload_take(struct request *request, const char *bytes, size_t *size);
void upload_ended(struct request *request);
void upload_gone(struct request *request);

/* An error while much of a body is still to come: answered by hand, since libmicrohttpd can't in
 * the middle of a body, and the connection is cut. False when the ordinary way will do. */
bool upload_refuse(struct request *request, const struct err *err);
