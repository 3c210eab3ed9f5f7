/* api/base64url.h - RFC 4648, section 5, without padding. */
#pragma once
#include <stddef.h>

char *base64url_encode(const void *bytes, size_t size); /* owned */
/* Owned, NUL-terminated; padding is accepted. NULL when it is not base64url. */
char *base64url_decode(const char *text, size_t length, size_t *ret_size);
