/* cli/revisions.c - see revisions.h */
#include "cli/revisions.h"

static const json_t *template_at(const json_t *revisions, size_t index)
{
    return json_object_get(json_array_get(revisions, index), "template");
}

/* A template that was just applied may not be among the revisions yet: the newest of these is the one before. */
static const json_t *template_before(const json_t *group, const json_t *revisions)
{
    size_t count = json_array_size(revisions);

    if (count == 0)
        return NULL;
    if (!json_equal(template_at(revisions, count - 1), json_at(group, "spec.template")))
        return template_at(revisions, count - 1);
    return count > 1 ? template_at(revisions, count - 2) : NULL;
}

const json_t *revisions_template(const json_t *group, int64_t wanted)
{
    const json_t *revisions = json_at(group, "status.revisions");

    if (wanted == 0)
        return template_before(group, revisions);
    for (size_t i = 0; i < json_array_size(revisions); i++)
        if (json_int_at(json_array_get(revisions, i), "revision", 0) == wanted)
            return template_at(revisions, i);
    return NULL;
}
