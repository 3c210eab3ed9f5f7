/* api/index.c - labels and selectable fields of stored records. */
#include "api/index.h"
#include "api/scan.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* One allocation: this, the pointers, and the texts they point to. */
struct index {
    const struct kind *kind;
    uint16_t label_count;
    uint16_t field_count; /* as the kind's selectable */
    bool has_owners;
    const char *namespace_name;
    const char *texts[]; /* label keys and values in turn, then field values */
};

enum { LABELS_MAX = 1024 };

/* --- keys --- */

struct key_parts {
    const char *group, *plural, *namespace_name, *name;
    size_t group_length, plural_length, namespace_length;
};

static bool split_key(const char *key, struct key_parts *ret_parts)
{
    struct key_parts parts = { .group = key + 1 };

    parts.group_length = strcspn(parts.group, "/");
    parts.plural = parts.group + parts.group_length + 1;
    if (!parts.plural[-1])
        return false;
    parts.plural_length = strcspn(parts.plural, "/");
    parts.namespace_name = parts.plural + parts.plural_length + 1;
    if (!parts.namespace_name[-1])
        return false;
    parts.namespace_length = strcspn(parts.namespace_name, "/");
    parts.name = parts.namespace_name + parts.namespace_length + 1;
    *ret_parts = parts;
    return parts.name[-1] != 0;
}

static bool part_is(const char *part, size_t length, const char *text)
{
    return strlen(text) == length && memcmp(part, text, length) == 0;
}

static const struct kind *kind_of(const struct key_parts *parts)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if (part_is(parts->plural, parts->plural_length, (*kind)->plural) &&
            part_is(parts->group, parts->group_length,
                    str_is_empty((*kind)->group) ? "core" : (*kind)->group))
            return *kind;
    return NULL;
}

const struct kind *index_kind(const char *key)
{
    struct key_parts parts;

    return split_key(key, &parts) ? kind_of(&parts) : NULL;
}

/* --- building --- */

struct builder {
    struct buf texts; /* NUL-terminated, one after another */
    size_t count;
};

static void add_text(struct builder *builder, struct scan value)
{
    bool is_scalar = value.at && value.size && value.at[0] != '{' && value.at[0] != '[';
    auto_free char *copy = is_scalar ? scan_copy(value) : NULL;

    buf_add(&builder->texts, copy ? copy : "", copy ? strlen(copy) + 1 : 1);
    builder->count++;
}

static unsigned add_labels(struct builder *builder, struct scan labels)
{
    struct scan name, value;
    unsigned count = 0;

    for (const char *at = NULL; count < LABELS_MAX && scan_next(labels, &at, &name, &value);) {
        buf_add(&builder->texts, name.at, name.size);
        buf_add_char(&builder->texts, 0);
        builder->count++;
        add_text(builder, value);
        count++;
    }
    return count;
}

static unsigned add_fields(struct builder *builder, const struct kind *kind, struct scan object)
{
    unsigned count = 0;

    for (const char *const *path = kind ? kind->selectable : NULL; path && *path; path++) {
        add_text(builder, scan_path(object, *path));
        count++;
    }
    return count;
}

static struct index *pack(struct builder *builder)
{
    size_t pointers = sizeof(struct index) + builder->count * sizeof(const char *);
    struct index *index = mem_alloc(pointers + builder->texts.size);
    char *text = (char *)index + pointers;

    *index = (struct index){ 0 };
    memcpy(text, builder->texts.bytes, builder->texts.size);
    for (size_t i = 0; i < builder->count; i++) {
        index->texts[i] = text;
        text += strlen(text) + 1;
    }
    buf_done(&builder->texts);
    return index;
}

static void *make_index(void *arg, const struct record *record)
{
    struct scan object = scan_text(record->bytes, record->size);
    struct scan metadata = scan_member(object, "metadata");
    struct key_parts parts = { .namespace_name = "" };
    struct builder builder = { 0 };
    const struct kind *kind = split_key(record->key, &parts) ? kind_of(&parts) : NULL;
    unsigned label_count = add_labels(&builder, scan_member(metadata, "labels"));
    unsigned field_count = add_fields(&builder, kind, object);
    struct index *index;

    buf_add(&builder.texts, parts.namespace_name, parts.namespace_length);
    buf_add_char(&builder.texts, 0);
    builder.count++;
    index = pack(&builder);
    index->kind = kind;
    index->label_count = (uint16_t)label_count;
    index->field_count = (uint16_t)field_count;
    index->namespace_name = index->texts[2 * label_count + field_count];
    index->has_owners = scan_member(metadata, "ownerReferences").size > 2;
    return index;
}

struct store_index index_hook(void)
{
    return (struct store_index){ .make = make_index, .free_extra = free };
}

/* --- reading --- */

const char *index_name(const struct record *record)
{
    const char *slash = strrchr(record->key, '/');

    return slash ? slash + 1 : record->key;
}

const char *index_namespace(const struct record *record)
{
    const struct index *index = record->extra;

    return index->namespace_name;
}

const char *index_label(const void *object, const char *key)
{
    const struct index *index = ((const struct record *)object)->extra;

    for (unsigned i = 0; i < index->label_count; i++)
        if (strcmp(index->texts[2 * i], key) == 0)
            return index->texts[2 * i + 1];
    return NULL;
}

const char *index_field(const void *object, const char *key)
{
    const struct record *record = object;
    const struct index *index = record->extra;

    if (strcmp(key, "metadata.name") == 0)
        return index_name(record);
    if (strcmp(key, "metadata.namespace") == 0)
        return index->namespace_name;
    for (unsigned i = 0; i < index->field_count; i++)
        if (strcmp(index->kind->selectable[i], key) == 0)
            return index->texts[2 * index->label_count + i];
    return "";
}

bool index_has_owners(const struct record *record)
{
    const struct index *index = record->extra;

    return index->has_owners;
}
