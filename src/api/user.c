/* api/user.c - who asks. */
#include "api/user.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

static size_t count_texts(const char *const *texts)
{
    size_t count = 0;

    while (texts && texts[count])
        count++;
    return count;
}

struct user *user_new(const char *name, const char *const *groups, const char *peer)
{
    size_t count = count_texts(groups);
    const char **copies = mem_array(count + 1, sizeof copies[0]);
    struct user *user = mem_new(struct user);

    for (size_t i = 0; i < count; i++)
        copies[i] = str_dup(groups[i]);
    user->references = 1;
    user->view =
        (struct api_user){ .name = str_dup(name), .groups = copies, .peer = str_dup(peer) };
    return user;
}

struct user *user_from_json(const json_t *value, const char *peer)
{
    const json_t *groups = json_object_get(value, "groups");
    const char *name = json_text_at(value, "name", NULL);
    size_t count = json_array_size(groups), used = 0;
    struct user *user;

    if (str_is_empty(name))
        return NULL;
    const char **texts = mem_array(count + 1, sizeof texts[0]);
    for (size_t i = 0; i < count; i++)
        if (json_is_string(json_array_get(groups, i)))
            texts[used++] = json_string_value(json_array_get(groups, i));
    user = user_new(name, texts, peer);
    free(texts);
    return user;
}

struct user *user_ref(struct user *user)
{
    user->references++;
    return user;
}

void user_unref(struct user *user)
{
    if (!user || --user->references)
        return;
    for (const char *const *group = user->view.groups; *group; group++)
        free((char *)*group);
    free((void *)user->view.groups);
    free((char *)user->view.name);
    free((char *)user->view.peer);
    free(user);
}

bool user_is_in(const struct api_user *user, const char *group)
{
    for (const char *const *own = user->groups; *own; own++)
        if (str_equal(*own, group))
            return true;
    return false;
}

json_t *user_info(const struct api_user *user)
{
    json_t *groups = json_array();

    for (const char *const *group = user->groups; *group; group++)
        json_array_append_new(groups, json_printf("%s", *group));
    if (!user_is_in(user, "system:authenticated"))
        json_array_append_new(groups, json_string("system:authenticated"));
    return json_pack("{s:o,s:o}", "username", json_printf("%s", user->name), "groups", groups);
}
