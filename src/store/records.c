/* store/records.c - a weight-balanced tree (Adams; parameters 3 and 2 of Hirai and
 * Yamamoto). The counts that balance it also answer "how many more are there". */
#include "store/records.h"
#include "store/record.h"
#include "base/mem.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_RATIO_MAX = 3, SINGLE_ROTATION_RATIO_MAX = 2 };

struct records_node {
    struct records_node *left;
    struct records_node *right;
    size_t count; /* of this subtree */
    struct record *record;
};

static size_t count_of(const struct records_node *node) { return node ? node->count : 0; }

static size_t weight_of(const struct records_node *node) { return count_of(node) + 1; }

/* --- balance --- */

static void recount(struct records_node *node)
{
    node->count = count_of(node->left) + count_of(node->right) + 1;
}

static struct records_node *rotate_left(struct records_node *node)
{
    struct records_node *top = node->right;

    node->right = top->left;
    top->left = node;
    recount(node);
    recount(top);
    return top;
}

static struct records_node *rotate_right(struct records_node *node)
{
    struct records_node *top = node->left;

    node->left = top->right;
    top->right = node;
    recount(node);
    recount(top);
    return top;
}

static struct records_node *balance(struct records_node *node)
{
    recount(node);
    if (weight_of(node->right) > WEIGHT_RATIO_MAX * weight_of(node->left)) {
        struct records_node *heavy = node->right;

        if (weight_of(heavy->left) >= SINGLE_ROTATION_RATIO_MAX * weight_of(heavy->right))
            node->right = rotate_right(heavy);
        return rotate_left(node);
    }
    if (weight_of(node->left) > WEIGHT_RATIO_MAX * weight_of(node->right)) {
        struct records_node *heavy = node->left;

        if (weight_of(heavy->right) >= SINGLE_ROTATION_RATIO_MAX * weight_of(heavy->left))
            node->left = rotate_left(heavy);
        return rotate_right(node);
    }
    return node;
}

/* --- adding and removing --- */

static struct records_node *put(struct records_node *node, struct record *record,
                                struct record **ret_replaced)
{
    if (!node) {
        node = mem_new(struct records_node);
        node->record = record;
        node->count = 1;
        return node;
    }

    int order = strcmp(record->key, node->record->key);
    if (order == 0) {
        *ret_replaced = node->record;
        node->record = record;
        return node;
    }
    if (order < 0)
        node->left = put(node->left, record, ret_replaced);
    else
        node->right = put(node->right, record, ret_replaced);
    return balance(node);
}

static struct records_node *detach_first(struct records_node *node, struct records_node **ret_first)
{
    if (!node->left) {
        *ret_first = node;
        return node->right;
    }
    node->left = detach_first(node->left, ret_first);
    return balance(node);
}

/* Joins the two subtrees of 'node', which goes. */
static struct records_node *without(struct records_node *node)
{
    struct records_node *left = node->left, *right = node->right, *top;

    free(node);
    if (!left || !right)
        return left ? left : right;
    right = detach_first(right, &top);
    top->left = left;
    top->right = right;
    return balance(top);
}

static struct records_node *take_out(struct records_node *node, const char *key,
                                     struct record **ret_removed)
{
    if (!node)
        return NULL;

    int order = strcmp(key, node->record->key);
    if (order == 0) {
        *ret_removed = node->record;
        return without(node);
    }
    if (order < 0)
        node->left = take_out(node->left, key, ret_removed);
    else
        node->right = take_out(node->right, key, ret_removed);
    return balance(node);
}

struct record *records_put(struct records *records, struct record *take_record)
{
    struct record *replaced = NULL;

    records->root = put(records->root, take_record, &replaced);
    return replaced;
}

struct record *records_remove(struct records *records, const char *key)
{
    struct record *removed = NULL;

    records->root = take_out(records->root, key, &removed);
    return removed;
}

static void drop(struct records_node *node)
{
    if (!node)
        return;
    drop(node->left);
    drop(node->right);
    record_unref(node->record);
    free(node);
}

void records_done(struct records *records)
{
    drop(records->root);
    records->root = NULL;
}

/* --- finding --- */

size_t records_count(const struct records *records) { return count_of(records->root); }

struct record *records_get(const struct records *records, const char *key)
{
    const struct records_node *node = records->root;

    while (node) {
        int order = strcmp(key, node->record->key);

        if (order == 0)
            return node->record;
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

/* A line drawn through the key order: the keys before it are those that compare, in their first
 * 'length' characters, less than 'text', or equal too when it is drawn behind them. */
struct border {
    const char *text;
    size_t length;
    bool behind_equals;
};

static size_t count_before(const struct records_node *node, struct border border)
{
    size_t count = 0;

    while (node) {
        int order = strncmp(node->record->key, border.text, border.length);

        if (order > 0 || (order == 0 && !border.behind_equals)) {
            node = node->left;
        } else {
            count += count_of(node->left) + 1;
            node = node->right;
        }
    }
    return count;
}

void records_range(const struct records *records, const char *prefix, const char *after,
                   size_t *ret_first, size_t *ret_end)
{
    struct border border = { .text = prefix, .length = strlen(prefix) };
    size_t first = count_before(records->root, border);

    border.behind_equals = true;
    *ret_end = count_before(records->root, border);
    if (after) {
        /* One more than its length: the NUL takes part, so only the key itself is equal. */
        size_t behind = count_before(
            records->root,
            (struct border){ .text = after, .length = strlen(after) + 1, .behind_equals = true });
        if (behind > first)
            first = behind;
    }
    *ret_first = first < *ret_end ? first : *ret_end;
}

static void copy(const struct records_node *node, size_t first, size_t count, struct record **to)
{
    if (!node || count == 0)
        return;

    size_t left = count_of(node->left);
    if (first < left) {
        size_t taken = left - first < count ? left - first : count;

        copy(node->left, first, taken, to);
        first += taken;
        count -= taken;
        to += taken;
    }
    if (count > 0 && first == left) {
        *to++ = record_ref(node->record);
        first++;
        count--;
    }
    if (count > 0)
        copy(node->right, first - left - 1, count, to);
}

void records_copy(const struct records *records, size_t first, size_t count, struct record **to)
{
    assert(first + count <= records_count(records));
    copy(records->root, first, count, to);
}

static void each(const struct records_node *node, void (*fn)(void *arg, struct record *record),
                 void *arg)
{
    if (!node)
        return;
    each(node->left, fn, arg);
    fn(arg, node->record);
    each(node->right, fn, arg);
}

void records_each(const struct records *records, void (*fn)(void *arg, struct record *record),
                  void *arg)
{
    each(records->root, fn, arg);
}

static bool is_balanced(const struct records_node *node)
{
    if (!node)
        return true;

    size_t left = weight_of(node->left), right = weight_of(node->right);
    return node->count + 1 == left + right && left <= WEIGHT_RATIO_MAX * right &&
           right <= WEIGHT_RATIO_MAX * left && is_balanced(node->left) && is_balanced(node->right);
}

bool records_are_balanced(const struct records *records) { return is_balanced(records->root); }
