/* cli/yaml_parse.c - YAML events of libyaml to JSON values. */
#include "cli/manifest.h"
#include "cli/yaml_scalar.h"
#include <string.h>
#include <yaml.h>

struct reading {
    yaml_parser_t parser;
    size_t document; /* counted from 1 */
    struct err *err;
};

static json_t *refuse(struct reading *reading, const yaml_mark_t *mark, const char *why)
{
    (void)err_set(reading->err, ERR_BAD_REQUEST, "document %zu: line %zu: %s",
                  reading->document ? reading->document : 1, mark->line + 1, why);
    return NULL;
}

static bool next(struct reading *reading, yaml_event_t *ret_event)
{
    if (yaml_parser_parse(&reading->parser, ret_event))
        return true;
    (void)refuse(reading, &reading->parser.problem_mark,
                 reading->parser.problem ? reading->parser.problem : "is no YAML");
    return false;
}

static bool tag_is_text(const yaml_char_t *tag)
{
    return str_equal((const char *)tag, YAML_STR_TAG) || str_equal((const char *)tag, "!");
}

static json_t *read_scalar(struct reading *reading, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    const yaml_char_t *tag = event->data.scalar.tag;
    const char *why = NULL;
    json_t *value;

    if (event->data.scalar.anchor)
        return refuse(reading, &event->start_mark, "anchors are not taken; repeat the value");
    if (memchr(text, '\0', length))
        return refuse(reading, &event->start_mark, "a text may not contain the NUL character");
    if (tag && !tag_is_text(tag))
        return refuse(reading, &event->start_mark, "tags other than !!str are not taken");
    if (tag || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        value = json_stringn(text, length);
    else
        value = yaml_plain_scalar(text, &why);
    return value ? value : refuse(reading, &event->start_mark, why ? why : "is no UTF-8 text");
}

static json_t *read_value(struct reading *reading, const yaml_event_t *event, int depth);

static json_t *read_list(struct reading *reading, int depth)
{
    auto_json json_t *list = json_array();
    yaml_event_t event;
    bool ended;

    for (;;) {
        json_t *item = NULL;

        if (!next(reading, &event))
            return NULL;
        ended = event.type == YAML_SEQUENCE_END_EVENT;
        if (!ended)
            item = read_value(reading, &event, depth);
        yaml_event_delete(&event);
        if (ended)
            return take_pointer(list);
        if (!item)
            return NULL;
        json_array_append_new(list, item);
    }
}

/* Reads the value of the key that 'key_event' is. */
static int read_member(struct reading *reading, json_t *map, const yaml_event_t *key_event, int depth)
{
    const char *key = (const char *)key_event->data.scalar.value;
    yaml_event_t event;
    json_t *value;

    if (key_event->type != YAML_SCALAR_EVENT || key_event->data.scalar.anchor ||
        memchr(key, '\0', key_event->data.scalar.length)) {
        (void)refuse(reading, &key_event->start_mark, "a key must be a plain text");
        return -1;
    }
    if (json_object_get(map, key)) {
        auto_free char *why = str_printf("duplicate key \"%s\"", key);
        (void)refuse(reading, &key_event->start_mark, why);
        return -1;
    }
    if (!next(reading, &event))
        return -1;
    value = read_value(reading, &event, depth);
    yaml_event_delete(&event);
    if (value && json_object_set_new(map, key, value) == 0)
        return 0;
    if (value)
        (void)refuse(reading, &key_event->start_mark, "a key is no UTF-8 text");
    return -1;
}

static json_t *read_map(struct reading *reading, int depth)
{
    auto_json json_t *map = json_object();
    yaml_event_t event;
    bool ended;
    int result;

    for (;;) {
        if (!next(reading, &event))
            return NULL;
        ended = event.type == YAML_MAPPING_END_EVENT;
        result = ended ? 0 : read_member(reading, map, &event, depth);
        yaml_event_delete(&event);
        if (ended)
            return take_pointer(map);
        if (result < 0)
            return NULL;
    }
}

static json_t *read_value(struct reading *reading, const yaml_event_t *event, int depth)
{
    if (depth >= YAML_DEPTH_MAX)
        return refuse(reading, &event->start_mark, "is nested too deep");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reading, event);
    case YAML_SEQUENCE_START_EVENT:
        if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
            return refuse(reading, &event->start_mark, "anchors and tags are not taken");
        return read_list(reading, depth + 1);
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
            return refuse(reading, &event->start_mark, "anchors and tags are not taken");
        return read_map(reading, depth + 1);
    case YAML_ALIAS_EVENT:
        return refuse(reading, &event->start_mark, "aliases are not taken; repeat the value");
    default:
        return refuse(reading, &event->start_mark, "a value is missing");
    }
}

/* 1: took the event, 0: the end of the stream, -1: failed. */
static int take_event(struct reading *reading, json_t *documents, const yaml_event_t *event)
{
    json_t *value;

    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        return 0;
    case YAML_DOCUMENT_START_EVENT:
        reading->document++;
        if (reading->document <= YAML_DOCUMENTS_MAX)
            return 1;
        (void)refuse(reading, &event->start_mark, "too many documents");
        return -1;
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 1;
    default:
        value = read_value(reading, event, 0);
        return value && json_array_append_new(documents, value) == 0 ? 1 : -1;
    }
}

json_t *yaml_parse(const char *text, size_t size, struct err *err)
{
    struct reading reading = { .err = err };
    json_t *documents = json_array();
    yaml_event_t event;
    int result;

    yaml_parser_initialize(&reading.parser);
    yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text, size);
    do {
        result = -1;
        if (!next(&reading, &event))
            break;
        result = take_event(&reading, documents, &event);
        yaml_event_delete(&event);
    } while (result > 0);
    yaml_parser_delete(&reading.parser);
    if (result == 0)
        return documents;
    json_decref(documents);
    return NULL;
}
