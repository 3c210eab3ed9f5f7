/* control/admit_balancer.c - what a LoadBalancer refers to, and ports that another one has. */
#include "control/admit.h"
#include "control/balancer.h"
#include "base/netaddr.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

static void admit_secret(struct control *control, const json_t *object, size_t index,
                         struct causes *causes)
{
    const json_t *listener = json_array_get(json_at(object, "spec.listeners"), index);
    const char *name = json_text_at(listener, "tls.secret", NULL);
    auto_free char *field = str_printf("spec.listeners[%zu].tls.secret", index);
    auto_json json_t *secret =
        name ? control_find(control, &kind_secret, object_namespace(object), name) : NULL;
    struct err err;

    admit_exists(control, &kind_secret, object_namespace(object), name, field, causes);
    if (!secret)
        return;
    char *certificate = certificate_of_secret(secret, &err);
    if (!certificate)
        causes_invalid(causes, field, json_at(listener, "tls.secret"), "%s", err.text);
    certificate_free(certificate);
}

/* --- ports --- */

struct rivalry {
    const json_t *object;
    struct causes *causes;
};

static void look_for_rival(void *arg, const json_t *other)
{
    struct rivalry *rivalry = arg;
    const json_t *mine = json_at(rivalry->object, "spec.listeners"),
                 *its = json_at(other, "spec.listeners");
    bool is_neighbour = str_equal(object_namespace(other), object_namespace(rivalry->object));

    if (is_neighbour && str_equal(object_name(other), object_name(rivalry->object)))
        return;
    for (size_t i = 0; i < json_array_size(mine); i++)
        for (size_t j = 0; j < json_array_size(its); j++) {
            const json_t *listener = json_array_get(mine, i);
            auto_free char *field = str_printf("spec.listeners[%zu].port", i);
            if ((is_neighbour || !json_object_get(listener, "network")) &&
                listeners_collide(listener, json_array_get(its, j)))
                causes_invalid(rivalry->causes, field, json_object_get(listener, "port"),
                               "is the port of load balancer \"%s/%s\" too",
                               object_namespace(other), object_name(other));
        }
}

void admit_balancer(struct control *control, const json_t *object, const json_t *old,
                    struct causes *causes)
{
    struct rivalry rivalry = { object, causes };

    if (!old)
        admit_exists(control, &kind_network, object_namespace(object),
                     view_text(&kind_load_balancer, object, "spec.network"), "spec.network",
                     causes);
    if (old && json_equal(json_at(object, "spec.listeners"), json_at(old, "spec.listeners")))
        return;
    for (size_t i = 0; i < json_array_size(json_at(object, "spec.listeners")); i++)
        admit_secret(control, object, i, causes);
    control_each(control, &kind_load_balancer, NULL, look_for_rival, &rivalry);
}
