/* api/user.h - who asks, as a counted value. */
#pragma once
#include "api/api.h"

#define USER_MASTERS "system:masters" /* the group that may do everything */

struct user {
    unsigned references;
    struct api_user view; /* what hooks see; its texts are owned here */
};

/* Copies everything; one reference. 'groups' may be NULL. */
struct user *user_new(const char *name, const char *const *groups, const char *peer);
/* From {"name":..., "groups":[...]}; NULL when it has no name. */
struct user *user_from_json(const json_t *value, const char *peer);
struct user *user_ref(struct user *user);
void user_unref(struct user *user); /* NULL is fine */
DEFINE_AUTO(struct user, user_unref)

bool user_is_in(const struct api_user *user, const char *group);
/* {"username":...,"groups":[...]} as in reviews; "system:authenticated" is among the groups. Owned.
 */
json_t *user_info(const struct api_user *user);
