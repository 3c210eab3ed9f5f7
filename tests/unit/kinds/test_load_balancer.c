#include "parsed.h"
#include "kinds/tables/tables.h"
#include <stdio.h>
#include <string.h>

static json_t *balancer(const char *listeners, const char *backends)
{
    auto_free char *text = str_printf(
        "{\"apiVersion\":\"virga.dev/v1\",\"kind\":\"LoadBalancer\",\"metadata\":{\"name\":\"web\","
        "\"namespace\":\"default\"},\"spec\":{\"listeners\":%s,\"backends\":%s}}",
        listeners, backends);

    json_t *object = parse(text);
    kind_default(&kind_load_balancer, object);
    return object;
}

#define WEB "[{\"name\":\"web\",\"port\":80,\"members\":{\"instanceGroup\":\"web\"}}]"
#define HTTP "[{\"name\":\"http\",\"port\":8080}]"

TEST(the_smallest_load_balancer_is_valid)
{
    auto_json json_t *object = balancer(HTTP, WEB);
    auto_causes struct causes causes = { 0 };

    kind_validate(&kind_load_balancer, object, NULL, &causes);
    for (size_t i = 0; i < causes.count; i++)
        check_fail(CHECK_HERE, "%s: %s", causes.items[i].field, causes.items[i].message);
    CHECK_STR(json_text_at(object, "spec.network", NULL), "default");
    CHECK_STR(json_text_at(object, "spec.backends[0].balancing", NULL), "LeastConnections");
    CHECK_STR(json_text_at(object, "spec.backends[0].healthCheck.type", NULL), "TCP");
    CHECK_STR(json_text_at(object, "spec.listeners[0].protocol", NULL), "HTTP");
}

TEST(each_rule_names_its_field)
{
    static const struct row {
        const char *listeners, *backends, *field, *message;
    } rows[] = {
        { "[]", WEB, "spec.listeners", NULL },
        { HTTP, "[]", "spec.backends", NULL },
        { "[{\"name\":\"a\",\"port\":0}]", WEB, "spec.listeners[0].port", NULL },
        { "[{\"name\":\"a\",\"port\":80,\"network\":\"default\",\"address\":\"127.0.0.1\"}]", WEB,
          "spec.listeners[0].address", "nobody reaches loopback there" },
        { "[{\"name\":\"a\",\"port\":80,\"network\":\"default\",\"address\":\"::1\"}]", WEB,
          "spec.listeners[0].address", "nobody reaches loopback there" },
        { "[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":80}]", WEB,
          "spec.listeners[1].port", "80 is the port of listener \"a\" too" },
        { "[{\"name\":\"a\",\"port\":80,\"address\":\"127.0.0.1\"},{\"name\":\"b\",\"port\":80}]", WEB,
          "spec.listeners[1].port", "listener \"a\"" },
        { "[{\"name\":\"a\",\"port\":80,\"address\":\"127.0.0.1\"},{\"name\":\"b\",\"port\":80,\"address\":\"0.0.0.0\"}]",
          WEB, "spec.listeners[1].port", "listener \"a\"" },
        { "[{\"name\":\"a\",\"port\":80,\"address\":\"::\"},{\"name\":\"b\",\"port\":80,\"address\":\"::1\"}]", WEB,
          "spec.listeners[1].port", "listener \"a\"" },
        { "[{\"name\":\"a\",\"port\":443,\"protocol\":\"HTTPS\"}]", WEB, "spec.listeners[0].tls",
          "needs a certificate" },
        { "[{\"name\":\"a\",\"port\":80,\"tls\":{\"secret\":\"x\"}}]", WEB, "spec.listeners[0].tls",
          "HTTPS" },
        { "[{\"name\":\"a\",\"port\":80,\"backend\":\"api\"}]", WEB, "spec.listeners[0].backend",
          "there is no backend \"api\"" },
        { "[{\"name\":\"a\",\"port\":80,\"routes\":[{\"paths\":[\"/x\"],\"backend\":\"api\"}]}]", WEB,
          "spec.listeners[0].routes[0].backend", "there is no backend" },
        { "[{\"name\":\"a\",\"port\":80,\"routes\":[{\"paths\":[\"x\"],\"backend\":\"web\"}]}]", WEB,
          "spec.listeners[0].routes[0].paths[0]", "begins with /" },
        { "[{\"name\":\"a\",\"port\":80,\"routes\":[{\"paths\":[\"/x\\n  daemon\"],\"backend\":\"web\"}]}]",
          WEB, "spec.listeners[0].routes[0].paths[0]", "begins with /" },
        { "[{\"name\":\"a\",\"port\":80,\"routes\":[{\"hosts\":[\"a b\"],\"backend\":\"web\"}]}]", WEB,
          "spec.listeners[0].routes[0].hosts[0]", "host name" },
        { "[{\"name\":\"a\",\"port\":80,\"protocol\":\"TCP\",\"routes\":[{\"backend\":\"web\"}]}]", WEB,
          "spec.listeners[0].routes", "only HTTP and HTTPS" },
        { "[{\"name\":\"a\",\"port\":80,\"network\":\"lan\"}]", WEB, "spec.listeners[0].network",
          "spec.network (\"default\")" },
        { HTTP, "[{\"name\":\"web\",\"port\":80,\"members\":{}}]", "spec.backends[0].members",
          "exactly one" },
        { HTTP, "[{\"name\":\"web\",\"port\":80,\"members\":{\"instances\":[\"a\"],\"instanceGroup\":\"a\"}}]",
          "spec.backends[0].members", "exactly one" },
        { HTTP, "[{\"name\":\"web\",\"port\":80,\"members\":{\"selector\":{\"matchLabels\":{}}}}]",
          "spec.backends[0].members.selector.matchLabels", NULL },
        { "[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":81,\"protocol\":\"TCP\"}]", WEB,
          "spec.backends[0]", "make two" },
        { "[{\"name\":\"a\",\"port\":80,\"protocol\":\"TCP\"}]",
          "[{\"name\":\"web\",\"port\":80,\"members\":{\"instances\":[\"a\"]},\"stickyCookie\":{}}]",
          "spec.backends[0].stickyCookie", "cookies are of HTTP" },
        { HTTP,
          "[{\"name\":\"web\",\"port\":80,\"members\":{\"instances\":[\"a\"]},"
          "\"stickyCookie\":{\"name\":\"a b\"}}]",
          "spec.backends[0].stickyCookie.name", "letters" },
        { HTTP,
          "[{\"name\":\"web\",\"port\":80,\"members\":{\"instances\":[\"a\"]},"
          "\"healthCheck\":{\"type\":\"HTTP\",\"path\":\"/ HTTP/1.1\"}}]",
          "spec.backends[0].healthCheck.path", "begins with /" },
        { HTTP,
          "[{\"name\":\"web\",\"port\":80,\"members\":{\"instances\":[\"a\"]},"
          "\"drainTimeout\":\"-1s\"}]",
          "spec.backends[0].drainTimeout", NULL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *object = balancer(rows[i].listeners, rows[i].backends);
        auto_causes struct causes causes = { 0 };

        kind_validate(&kind_load_balancer, object, NULL, &causes);
        if (causes.count != 1)
            check_fail(CHECK_HERE, "row %zu: %zu causes", i, causes.count);
        CHECK_STR(causes.items[0].field, rows[i].field);
        if (rows[i].message)
            CHECK_CONTAINS(causes.items[0].message, rows[i].message);
    }
}

TEST(one_port_on_two_addresses_or_inside_and_outside_is_fine)
{
    static const char *const rows[] = {
        "[{\"name\":\"a\",\"port\":80,\"address\":\"::1\"},{\"name\":\"b\",\"port\":80,\"address\":\"::2\"}]",
        "[{\"name\":\"a\",\"port\":80,\"network\":\"default\"},{\"name\":\"b\",\"port\":80}]",
        "[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":80,\"address\":\"::\"}]",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *object = balancer(rows[i], WEB);
        auto_causes struct causes causes = { 0 };

        kind_validate(&kind_load_balancer, object, NULL, &causes);
        CHECK_EQ(causes.count, 0);
    }
}
