/* api/stream.h - a descriptor's bytes as an answer: a file, or whatever comes out of a pipe. */
#pragma once
#include "api/request.h"

/* Answers with the bytes of 'take_fd' to its end; with 'follow' a regular file is watched and
 * what is appended is sent too, until the client leaves. */
void stream_reply(struct request *request, int take_fd, const char *content_type, bool follow);
