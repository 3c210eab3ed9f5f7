/* api/patch_json.c - JSON patch, RFC 6902. */
#include "api/patch.h"
#include <stdlib.h>
#include <string.h>

enum { POINTER_TOKEN_MAX = 1024 };

struct patcher {
    json_t *document; /* owned */
    size_t moved;     /* weight of all that "copy" and "move" have handled so far */
};

/* How much work and how much stack a value costs. */
struct weight {
    size_t size;    /* about its bytes of text */
    unsigned depth; /* 0 for a scalar */
};

/* Where a pointer leads: the container and the last token. */
struct place {
    json_t *parent; /* NULL: the whole document */
    char token[POINTER_TOKEN_MAX];
    const char *pointer;
    unsigned depth; /* tokens */
};

static void add_weight(struct weight *weight, const json_t *value, unsigned depth)
{
    const char *key;
    json_t *child;
    size_t index;

    weight->size += 1 + (json_is_string(value) ? json_string_length(value) : 0);
    if (depth > weight->depth)
        weight->depth = depth;
    if (json_is_object(value))
        json_object_foreach ((json_t *)value, key, child) {
            weight->size += strlen(key);
            add_weight(weight, child, depth + 1);
        }
    else
        json_array_foreach (value, index, child)
            add_weight(weight, child, depth + 1);
}

static struct weight weigh(const json_t *value)
{
    struct weight weight = { 0 };

    add_weight(&weight, value, 0);
    return weight;
}

static int no_such_path(const char *pointer, struct err *err)
{
    return err_set(err, ERR_INVALID, "the patch names a path that does not exist: \"%.256s\"",
                   pointer);
}

/* "~1" is "/", "~0" is "~". Returns what follows the token, NULL when it is malformed. */
static const char *read_token(const char *at, char token[POINTER_TOKEN_MAX])
{
    size_t length = 0;

    for (; *at && *at != '/'; at++) {
        if (length + 1 >= POINTER_TOKEN_MAX)
            return NULL;
        if (*at != '~')
            token[length++] = *at;
        else if (at[1] == '0' || at[1] == '1')
            token[length++] = *++at == '0' ? '~' : '/';
        else
            return NULL;
    }
    token[length] = 0;
    return at;
}

/* An index below 'limit' without leading zeros; false otherwise. */
static bool parse_index(const char *token, size_t limit, size_t *ret_index)
{
    char *end;
    unsigned long index;

    if (token[0] < '0' || token[0] > '9' || (token[0] == '0' && token[1]))
        return false;
    index = strtoul(token, &end, 10);
    *ret_index = index;
    return !*end && index < limit;
}

static json_t *child_at(const json_t *parent, const char *token)
{
    size_t index;

    if (json_is_object(parent))
        return json_object_get(parent, token);
    if (json_is_array(parent) && parse_index(token, json_array_size(parent), &index))
        return json_array_get(parent, index);
    return NULL;
}

static int find_place(json_t *document, const char *pointer, struct place *ret_place,
                      struct err *err)
{
    const char *at = pointer;

    ret_place->pointer = pointer;
    ret_place->parent = NULL;
    ret_place->depth = 0;
    if (*pointer && *pointer != '/')
        return err_set(err, ERR_BAD_REQUEST, "a path in the patch must begin with '/': \"%.256s\"",
                       pointer);
    while (*at) {
        ret_place->parent =
            ret_place->parent ? child_at(ret_place->parent, ret_place->token) : document;
        if (!json_is_object(ret_place->parent) && !json_is_array(ret_place->parent))
            return no_such_path(pointer, err);
        ret_place->depth++;
        at = read_token(at + 1, ret_place->token);
        if (!at)
            return err_set(err, ERR_BAD_REQUEST, "malformed path in the patch: \"%.256s\"",
                           pointer);
    }
    return 0;
}

static json_t *value_at(const struct patcher *patcher, const struct place *place)
{
    return place->parent ? child_at(place->parent, place->token) : patcher->document;
}

static int put(struct patcher *patcher, const struct place *place, json_t *take_value,
               struct err *err)
{
    size_t index = json_array_size(place->parent);

    if (place->depth + weigh(take_value).depth > JSON_DEPTH_MAX) {
        json_decref(take_value);
        return err_set(err, ERR_INVALID, "the patch nests deeper than %d levels", JSON_DEPTH_MAX);
    }
    if (!place->parent) {
        json_decref(patcher->document);
        patcher->document = take_value;
    } else if (json_is_object(place->parent)) {
        json_object_set_new(place->parent, place->token, take_value);
    } else if (strcmp(place->token, "-") == 0 || parse_index(place->token, index + 1, &index)) {
        json_array_insert_new(place->parent, index, take_value);
    } else {
        json_decref(take_value);
        return no_such_path(place->pointer, err);
    }
    return 0;
}

static int drop(struct patcher *patcher, const struct place *place, struct err *err)
{
    size_t index;

    if (!value_at(patcher, place))
        return no_such_path(place->pointer, err);
    if (!place->parent)
        return err_set(err, ERR_INVALID, "the patch removes the whole object");
    if (json_is_object(place->parent))
        json_object_del(place->parent, place->token);
    else if (parse_index(place->token, json_array_size(place->parent), &index))
        json_array_remove(place->parent, index);
    return 0;
}

static int replace(struct patcher *patcher, const struct place *place, json_t *take_value,
                   struct err *err)
{
    size_t index;

    if (!value_at(patcher, place)) {
        json_decref(take_value);
        return no_such_path(place->pointer, err);
    }
    if (json_is_array(place->parent) &&
        parse_index(place->token, json_array_size(place->parent), &index) &&
        place->depth + weigh(take_value).depth <= JSON_DEPTH_MAX) {
        json_array_set_new(place->parent, index, take_value);
        return 0;
    }
    return put(patcher, place, take_value, err);
}

static int test(const struct patcher *patcher, const struct place *place, const json_t *wanted,
                struct err *err)
{
    const json_t *value = value_at(patcher, place);

    if (value ? json_equal(value, wanted) : json_is_null(wanted))
        return 0;
    return err_set(err, ERR_INVALID, "testing path \"%.256s\": the value differs", place->pointer);
}

/* The value that "move" and "copy" take, owned; NULL with 'err' set. */
static json_t *take_from(struct patcher *patcher, const json_t *operation, bool move,
                         struct err *err)
{
    const char *from = json_string_value(json_object_get(operation, "from"));
    const char *path = json_text_at(operation, "path", "");
    struct place place;
    json_t *value;

    if (!from) {
        err_set(err, ERR_BAD_REQUEST, "a move or copy in the patch needs \"from\"");
        return NULL;
    }
    if (find_place(patcher->document, from, &place, err) < 0)
        return NULL;
    value = value_at(patcher, &place);
    if (!value) {
        no_such_path(from, err);
        return NULL;
    }
    patcher->moved += weigh(value).size;
    if (patcher->moved > JSON_BODY_SIZE_MAX) {
        err_set(err, ERR_INVALID, "the patch copies or moves more than %d bytes",
                JSON_BODY_SIZE_MAX);
        return NULL;
    }
    if (!move)
        return json_deep_copy(value);
    if (strncmp(path, from, strlen(from)) == 0 && path[strlen(from)] == '/') {
        err_set(err, ERR_INVALID, "the patch moves \"%.128s\" into itself", from);
        return NULL;
    }
    json_incref(value);
    if (drop(patcher, &place, err) == 0)
        return value;
    json_decref(value);
    return NULL;
}

/* The "value" of an operation, owned; NULL with 'err' set. */
static json_t *value_of(const json_t *operation, struct err *err)
{
    json_t *value = json_object_get(operation, "value");

    if (!value)
        err_set(err, ERR_BAD_REQUEST, "an operation of the patch lacks its \"value\"");
    return value ? json_deep_copy(value) : NULL;
}

static int apply_transfer(struct patcher *patcher, const json_t *operation, bool move,
                          struct err *err)
{
    json_t *value = take_from(patcher, operation, move, err);
    struct place place;

    if (!value)
        return -1;
    if (find_place(patcher->document, json_text_at(operation, "path", ""), &place, err) < 0) {
        json_decref(value);
        return -1;
    }
    return put(patcher, &place, value, err);
}

static int apply_value(struct patcher *patcher, const json_t *operation, const char *name,
                       struct err *err)
{
    json_t *value = value_of(operation, err);
    struct place place;
    int result;

    if (!value)
        return -1;
    if (find_place(patcher->document, json_text_at(operation, "path", ""), &place, err) < 0) {
        json_decref(value);
        return -1;
    }
    if (strcmp(name, "add") == 0)
        return put(patcher, &place, value, err);
    if (strcmp(name, "replace") == 0)
        return replace(patcher, &place, value, err);
    result = test(patcher, &place, value, err);
    json_decref(value);
    return result;
}

static int apply_operation(struct patcher *patcher, const json_t *operation, struct err *err)
{
    const char *name = json_string_value(json_object_get(operation, "op"));
    const char *path = json_string_value(json_object_get(operation, "path"));
    struct place place;

    if (!name || !path)
        return err_set(err, ERR_BAD_REQUEST,
                       "each operation of a JSON patch needs \"op\" and "
                       "\"path\"");
    if (strcmp(name, "add") == 0 || strcmp(name, "replace") == 0 || strcmp(name, "test") == 0)
        return apply_value(patcher, operation, name, err);
    if (strcmp(name, "move") == 0 || strcmp(name, "copy") == 0)
        return apply_transfer(patcher, operation, strcmp(name, "move") == 0, err);
    if (strcmp(name, "remove") != 0)
        return err_set(err, ERR_BAD_REQUEST, "unknown operation \"%.32s\" in the patch", name);
    if (find_place(patcher->document, path, &place, err) < 0)
        return -1;
    return drop(patcher, &place, err);
}

json_t *patch_json(const json_t *target, const json_t *operations, struct err *err)
{
    struct patcher patcher = { .document = json_deep_copy(target) };

    if (!json_is_array(operations))
        err_set(err, ERR_BAD_REQUEST, "a JSON patch must be a list of operations");
    else if (json_array_size(operations) > PATCH_OPERATIONS_MAX)
        err_set(err, ERR_TOO_LARGE, "a JSON patch may have at most %d operations",
                PATCH_OPERATIONS_MAX);
    else
        for (size_t i = 0;; i++) {
            if (i == json_array_size(operations))
                return patcher.document;
            if (apply_operation(&patcher, json_array_get(operations, i), err) < 0)
                break;
        }
    json_decref(patcher.document);
    return NULL;
}
