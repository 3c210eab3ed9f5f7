/* store/record.c - one version of an object: one block of memory, counted. */
#include "store/record.h"
#include "base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct version {
    struct record record; /* first: what others see */
    unsigned references;
    bool deleted;
    bool indexed;
    void (*free_extra)(void *extra);
    char text[]; /* the key and its NUL, the bytes and their NUL */
};

static struct version *version_of(struct record *record) { return (struct version *)record; }

/* Copies 'value' to 'to' with 'inserted' in its gap, and a NUL. */
static void fill(char *to, const struct store_value *value, const char *inserted, size_t length)
{
    size_t before = (size_t)value->gap;

    memcpy(to, value->bytes, before);
    memcpy(to + before, inserted, length);
    memcpy(to + before + length, value->bytes + before, value->size - before);
    to[value->size + length] = '\0';
}

struct record *record_new(const struct record_fields *fields)
{
    struct store_value value = fields->value;
    char revision[24];
    size_t key_size = strlen(fields->key) + 1;
    size_t length = 0;

    assert(value.gap == STORE_GAP_NONE || (value.gap >= 0 && (size_t)value.gap <= value.size));
    if (!value.bytes)
        value.bytes = "";
    if (value.gap == STORE_GAP_NONE)
        value.gap = 0;
    else
        length = (size_t)snprintf(revision, sizeof revision, "%" PRId64, fields->revision);

    struct version *version = mem_alloc(sizeof *version + key_size + value.size + length + 1);
    *version = (struct version){
        .record = { .key = version->text,
                    .revision = fields->revision,
                    .created = fields->created,
                    .bytes = version->text + key_size,
                    .size = value.size + length },
        .references = 1,
        .deleted = fields->deleted,
    };
    memcpy(version->text, fields->key, key_size);
    fill(version->text + key_size, &value, revision, length);
    return &version->record;
}

struct record *record_ref(struct record *record)
{
    version_of(record)->references++;
    return record;
}

void record_unref(struct record *record)
{
    if (!record)
        return;

    struct version *version = version_of(record);
    assert(version->references > 0);
    if (--version->references > 0)
        return;
    if (version->free_extra && record->extra)
        version->free_extra(record->extra);
    free(version);
}

void record_list_free(struct record **records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        record_unref(records[i]);
    free(records);
}

bool record_is_deleted(const struct record *record)
{
    return ((const struct version *)record)->deleted;
}

void record_index(struct record *record, const struct store_index *index)
{
    struct version *version = version_of(record);

    if (!index->make || version->indexed)
        return;
    version->indexed = true;
    version->free_extra = index->free_extra;
    record->extra = index->make(index->arg, record);
}
