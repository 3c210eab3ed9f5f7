/* base/last_line.h - what a failed program said last, fit for an error text. */
#pragma once
#include <stddef.h>

/* The last line with anything in it, owned by the caller; "" when there is none.
 * Lines also end at a carriage return, as progress displays write them. Bytes that
 * are no UTF-8 text, and control characters, become '?'; a leading "PROGRAM: " goes. */
char *last_line(const char *text, size_t size, const char *program);
