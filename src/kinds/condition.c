/* kinds/condition.c - status.conditions. */
#include "kinds/kind.h"
#include "base/quantity.h"
#include "base/str.h"

static json_t *find(const json_t *object, const char *type)
{
    json_t *list = json_at(object, "status.conditions");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_equal(json_text_at(json_array_get(list, i), "type", NULL), type))
            return json_array_get(list, i);
    return NULL;
}

static json_t *find_or_add(json_t *object, const char *type)
{
    json_t *condition = find(object, type);

    if (condition)
        return condition;
    if (!json_is_array(json_at(object, "status.conditions")))
        json_set_at(object, "status.conditions", json_array());
    condition = json_pack("{s:s}", "type", type);
    json_array_append_new(json_at(object, "status.conditions"), condition);
    return condition;
}

/* Texts may have come from guests and programs. */
static bool set_text(json_t *condition, const char *key, const char *text)
{
    auto_json json_t *value = NULL;

    if (!text || str_equal(json_text_at(condition, key, NULL), text))
        return false;
    value = json_string_plain(text);
    if (json_equal(json_object_get(condition, key), value))
        return false;
    json_object_set(condition, key, value);
    return true;
}

bool condition_set(json_t *object, const char *type, const char *status, const char *reason,
                   const char *message, int64_t now_wall_ms)
{
    json_t *condition = find_or_add(object, type);
    int64_t generation = json_int_at(object, "metadata.generation", 0);
    bool changed = false;
    char now[32];

    if (set_text(condition, "status", status)) {
        time_format(now_wall_ms, now, sizeof now);
        set_text(condition, "lastTransitionTime", now);
        changed = true;
    }
    changed |= set_text(condition, "reason", reason);
    changed |= set_text(condition, "message", message ? message : "");
    if (generation && json_int_at(condition, "observedGeneration", 0) != generation) {
        json_object_set_new(condition, "observedGeneration", json_integer(generation));
        changed = true;
    }
    return changed;
}

const json_t *condition_get(const json_t *object, const char *type) { return find(object, type); }

bool condition_is_true(const json_t *object, const char *type)
{
    return str_equal(json_text_at(find(object, type), "status", NULL), "True");
}
