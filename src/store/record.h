/* store/record.h - making records, for the engines. */
#pragma once
#include "store/store.h"
#include <stdbool.h>

/* What a write makes: 'value' is copied, its gap filled with 'revision'. One
 * allocation, one reference. 'deleted': the last state of a deleted object. */
struct record_fields {
    const char *key;
    int64_t revision;
    int64_t created;
    struct store_value value;
    bool deleted;
};
struct record *record_new(const struct record_fields *fields);

bool record_is_deleted(const struct record *record);

/* Calls the hook for 'record' unless that was done before. */
void record_index(struct record *record, const struct store_index *index);
