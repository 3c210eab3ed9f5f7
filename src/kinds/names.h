/* kinds/names.h - the naming rules of RFC 1123 and Kubernetes' labels. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

bool name_is_label(const char *text);        /* a-z 0-9 and '-' inside, at most 63 */
bool name_is_subdomain(const char *text);    /* labels joined by '.', at most 253 */
bool name_is_qualified(const char *text);    /* [prefix.example/]Name, as label keys */
bool name_is_label_value(const char *text);  /* "" or at most 63 of A-Za-z0-9._- */
bool text_is_path_and_query(const char *text); /* of a URL: '/' first, nothing that ends a line of HTTP */
bool text_is_percent(const char *text, int *ret_percent); /* "0%" to "100%" */
bool text_is_base64(const char *text);       /* RFC 4648 with padding */
char *text_to_base64(const char *bytes, size_t size); /* owned */

#define NAME_LABEL_RULE                                                                            \
    "must be an RFC 1123 label: lower case letters, digits and '-', beginning and ending with a "  \
    "letter or digit, at most 63 characters"
#define NAME_SUBDOMAIN_RULE                                                                        \
    "must be an RFC 1123 subdomain: lower case letters, digits, '-' and '.', beginning and "       \
    "ending with a letter or digit, at most 253 characters"
