#include "check.h"
#include "base/str.h"
#include "client/client.h"
#include "kinds/tables/tables.h"

TEST(a_path_names_an_object_or_all_of_its_kind)
{
    auto_free char *one = client_path(&kind_instance, "lab", "web", NULL);
    auto_free char *all = client_path(&kind_instance, NULL, NULL, NULL);
    auto_free char *odd = client_path(&kind_config_map, "lab", "a/b c", "status");
    struct err err;

    CHECK_STR(one, "/apis/virga.dev/v1/namespaces/lab/instances/web");
    CHECK_STR(all, "/apis/virga.dev/v1/instances");
    CHECK_STR(odd, "/api/v1/namespaces/lab/configmaps/a%2Fb%20c/status");
    client_path_option(&all, "labelSelector", "a=b/..");
    CHECK_OK(client_path_check(one, &err), &err);
    CHECK_OK(client_path_check(all, &err), &err);
    CHECK_OK(client_path_check(odd, &err), &err);
}

/* Or "virga rm $NAME" would remove them all. */
TEST(an_empty_name_is_not_taken_for_all_of_its_kind)
{
    static const char *const names[] = { "", ".", ".." };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        auto_free char *path = client_path(&kind_instance, "lab", names[i], NULL);
        auto_free char *below = client_path(&kind_instance, "lab", names[i], "exec");
        auto_free char *within = client_path(&kind_instance, names[i], "web", NULL);
        struct err err;

        client_path_option(&path, "dryRun", "All");
        CHECK_FAILS(client_path_check(path, &err), &err, ERR_BAD_REQUEST);
        CHECK_FAILS(client_path_check(below, &err), &err, ERR_BAD_REQUEST);
        CHECK_FAILS(client_path_check(within, &err), &err, ERR_BAD_REQUEST);
        CHECK_STR(err.text, "a name must not be empty, \".\" or \"..\"");
    }
}
