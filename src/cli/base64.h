/* cli/base64.h - RFC 4648 base64. Pure. */
#pragma once
#include "base/str.h"

/* With padding. Owned. */
char *base64_encode(const void *bytes, size_t size);
/* Adds what 'text' stands for to 'to', up to the first character that is no base64. */
void base64_decode(const char *text, struct buf *to);
