#include "check.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/quantity.h"
#include "base/str.h"
#include "daemon/tokens.h"
#include "kinds/names.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* sha256("secret") */
#define SECRET_SHA256 "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

static struct loop *loop;
static struct store *store;

static void begin(void)
{
    loop = loop_sim_new(1);
    store = store_memory_new(loop);
}

static void end(void)
{
    store_free(store);
    loop_free(loop);
}

static void put(const char *namespace_name, const char *name, json_t *take_object)
{
    auto_json json_t *object = take_object;
    auto_free char *key = object_key("", "secrets", namespace_name, name);
    auto_buf struct buf text = { 0 };
    struct store_value value;

    json_set_at(object, "metadata.name", json_string(name));
    json_set_at(object, "metadata.namespace", json_string(namespace_name));
    object_encode(object, &text, &value);
    store->ops->put(store, key, value, STORE_ANY_REVISION, NULL, NULL);
    loop_sim_advance(loop, 1000);
}

static void set_data(json_t *secret, const char *key, const char *text)
{
    auto_free char *base64 = text ? text_to_base64(text, strlen(text)) : NULL;
    auto_free char *path = str_printf("data.%s", key);

    if (base64)
        json_set_at(secret, path, json_string(base64));
}

static json_t *token_secret(const char *sha256, const char *user, const char *groups, const char *expires)
{
    json_t *secret = json_pack("{s:s,s:s,s:{},s:s,s:{}}", "apiVersion", "v1", "kind", "Secret",
                               "metadata", "type", TOKEN_SECRET_TYPE, "data");

    set_data(secret, "sha256", sha256);
    set_data(secret, "user", user);
    set_data(secret, "groups", groups);
    set_data(secret, "expires", expires);
    return secret;
}

static bool is_known(const char *token)
{
    auto_json json_t *user = token_user(store, token);

    return user != NULL;
}

static char *time_from_now(int seconds)
{
    char text[32];

    time_format(((int64_t)time(NULL) + seconds) * 1000, text, sizeof text);
    return str_dup(text);
}

TEST(a_token_names_its_user_and_groups)
{
    begin();
    put(TOKEN_NAMESPACE, "other", token_secret("00", "eve", "x", NULL));
    put(TOKEN_NAMESPACE, "bob", token_secret(SECRET_SHA256, "bob", "developers,,testers", NULL));
    auto_json json_t *user = token_user(store, "secret");
    CHECK_STR(json_text_at(user, "name", NULL), "bob");
    CHECK_EQ(json_array_size(json_at(user, "groups")), 2);
    CHECK_STR(json_text_at(user, "groups[0]", NULL), "developers");
    CHECK_STR(json_text_at(user, "groups[1]", NULL), "testers");
    end();
}

TEST(other_tokens_are_unknown)
{
    static const char *const tokens[] = { "", "secre", "secrets", "Secret", "secret ", SECRET_SHA256,
                                          "\xff\xfe" };

    begin();
    CHECK(!is_known("secret"));
    put(TOKEN_NAMESPACE, "bob", token_secret(SECRET_SHA256, "bob", NULL, NULL));
    CHECK(is_known("secret"));
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        CHECK(!is_known(tokens[i]));
    end();
}

TEST(a_token_ends_with_its_time)
{
    auto_free char *past = time_from_now(-1), *future = time_from_now(3600);

    begin();
    put(TOKEN_NAMESPACE, "bob", token_secret(SECRET_SHA256, "bob", NULL, future));
    CHECK(is_known("secret"));
    put(TOKEN_NAMESPACE, "bob", token_secret(SECRET_SHA256, "bob", NULL, past));
    CHECK(!is_known("secret"));
    put(TOKEN_NAMESPACE, "bob", token_secret(SECRET_SHA256, "bob", NULL, "some day"));
    CHECK(!is_known("secret")); /* what cannot be read has expired */
    put(TOKEN_NAMESPACE, "bob", token_secret(SECRET_SHA256, "bob", NULL, ""));
    CHECK(!is_known("secret"));
    end();
}

TEST(a_token_is_revoked_by_deleting_its_secret)
{
    auto_free char *key = object_key("", "secrets", TOKEN_NAMESPACE, "bob");

    begin();
    put(TOKEN_NAMESPACE, "bob", token_secret(SECRET_SHA256, "bob", NULL, NULL));
    CHECK(is_known("secret"));
    auto_json json_t *last = token_secret(SECRET_SHA256, "bob", NULL, NULL);
    auto_buf struct buf text = { 0 };
    struct store_value value;
    object_encode(last, &text, &value);
    store->ops->remove(store, key, value, STORE_ANY_REVISION, NULL, NULL);
    loop_sim_advance(loop, 1000);
    CHECK(!is_known("secret"));
    end();
}

TEST(only_secrets_of_the_type_in_the_systems_namespace_are_tokens)
{
    begin();
    put("default", "bob", token_secret(SECRET_SHA256, "bob", NULL, NULL));
    put(TOKEN_NAMESPACE "-x", "bob", token_secret(SECRET_SHA256, "bob", NULL, NULL));
    CHECK(!is_known("secret"));
    json_t *opaque = token_secret(SECRET_SHA256, "bob", NULL, NULL);
    json_set_at(opaque, "type", json_string("Opaque"));
    put(TOKEN_NAMESPACE, "bob", opaque);
    CHECK(!is_known("secret"));
    end();
}

TEST(a_token_without_a_user_is_nobodys)
{
    begin();
    put(TOKEN_NAMESPACE, "a", token_secret(SECRET_SHA256, NULL, "system:masters", NULL));
    CHECK(!is_known("secret"));
    put(TOKEN_NAMESPACE, "a", token_secret(SECRET_SHA256, "", "system:masters", NULL));
    CHECK(!is_known("secret"));
    end();
}

TEST(what_is_no_digest_or_no_base64_matches_nothing)
{
    begin();
    json_t *broken = token_secret(SECRET_SHA256, "bob", NULL, NULL);
    json_set_at(broken, "data.sha256", json_string("????"));
    put(TOKEN_NAMESPACE, "a", broken);
    put(TOKEN_NAMESPACE, "b", token_secret("", "bob", NULL, NULL));
    put(TOKEN_NAMESPACE, "c", token_secret(SECRET_SHA256 "0", "bob", NULL, NULL));
    put(TOKEN_NAMESPACE, "d", json_pack("{s:s,s:{},s:[]}", "type", TOKEN_SECRET_TYPE, "metadata", "data"));
    CHECK(!is_known("secret"));
    end();
}
