#include "api_text.h"
#include "api/k8s_protobuf.h"
#include "api/openapi.h"
#include "api/wire.h"
#include <stdlib.h>

static size_t from_hex(const char *hex, unsigned char *to)
{
    size_t size = 0;

    for (; *hex; hex += 2) {
        char digits[3] = { hex[0], hex[1], 0 };
        to[size++] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return size;
}

static json_t *decode_hex(const char *hex, struct err *err)
{
    unsigned char bytes[4096];

    return k8s_protobuf_decode(bytes, from_hex(hex, bytes), err);
}

static void add_envelope(struct buf *to, const char *api_version, const char *kind,
                         struct buf *message)
{
    struct buf unknown = { 0 }, type = { 0 };

    wire_add_text(&type, 1, api_version);
    wire_add_text(&type, 2, kind);
    wire_add_message(&unknown, 1, &type);
    wire_add_message(&unknown, 2, message);
    wire_add_text(&unknown, 3, "");
    buf_add(to, "k8s\0", 4);
    buf_add(to, unknown.bytes, unknown.size);
    buf_done(&unknown);
    buf_done(&type);
    buf_done(message);
}

TEST(varints_and_fields_come_back_as_written)
{
    auto_buf struct buf text = { 0 };
    struct wire_field field;

    wire_add_varint(&text, 5, 300);
    wire_add_text(&text, 1000, "hi");
    struct wire_bytes rest = { text.bytes, text.size };
    CHECK(wire_next(&rest, &field));
    CHECK_EQ(field.number, 5);
    CHECK_EQ(field.number_value, 300);
    CHECK(wire_next(&rest, &field));
    CHECK_EQ(field.number, 1000);
    CHECK_EQ(field.bytes.size, 2);
    CHECK(!wire_next(&rest, &field));
    CHECK_EQ(rest.size, 0);
}

TEST(malformed_fields_are_left_over)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = { { "\x0a\x05xx", 4 },
                 { "\x08", 1 },
                 { "\x00\x01", 2 },
                 { "\x0b", 1 },
                 { "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12 },
                 { "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
                 { "\x0d\x01", 2 } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_bytes rest = { rows[i].bytes, rows[i].size };
        struct wire_field field;

        CHECK(!wire_next(&rest, &field));
        CHECK_EQ(rest.size, rows[i].size);
    }
}

/* As kubectl auth can-i sends it: what is empty is written out. */
TEST(a_review_from_kubectl_is_understood)
{
    struct err err;
    auto_json json_t *review = decode_hex(
        "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65637441"
        "6363657373526576696577122f0a100a0012001a0022002a00320038004200"
        "1211120f0a082f6865616c74687a1203676574"
        "1a0808001200220028001a002200",
        &err);

    if (!review)
        check_fail(CHECK_HERE, "%s", err.text);
    CHECK_STR(json_text_at(review, "kind", ""), "SelfSubjectAccessReview");
    CHECK_STR(json_text_at(review, "apiVersion", ""), "authorization.k8s.io/v1");
    CHECK_STR(json_text_at(review, "spec.nonResourceAttributes.path", ""), "/healthz");
    CHECK_STR(json_text_at(review, "spec.nonResourceAttributes.verb", ""), "get");
    CHECK_EQ(json_object_size(json_at(review, "metadata")), 0);
}

TEST(the_bytes_of_a_secret_become_base64)
{
    auto_buf struct buf body = { 0 };
    struct buf secret = { 0 }, meta = { 0 }, entry = { 0 };
    struct err err;

    wire_add_text(&meta, 1, "s");
    wire_add_text(&entry, 1, "owner");
    wire_add_text(&entry, 2, "helm");
    wire_add_message(&meta, 11, &entry);
    wire_add_message(&secret, 1, &meta);
    wire_add_text(&entry, 1, "key");
    wire_add_bytes(&entry, 2, "\0\xff", 2);
    wire_add_message(&secret, 2, &entry);
    wire_add_text(&secret, 3, "Opaque");
    add_envelope(&body, "v1", "Secret", &secret);
    auto_json json_t *object = k8s_protobuf_decode(body.bytes, body.size, &err);
    CHECK_JSON(object,
               "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s','labels':{'owner':"
               "'helm'}},'data':{'key':'AP8='},'type':'Opaque'}");
    buf_done(&meta);
    buf_done(&entry);
}

TEST(options_of_a_deletion_keep_a_grace_of_zero)
{
    auto_buf struct buf body = { 0 };
    struct buf options = { 0 };
    struct err err;

    wire_add_varint(&options, 1, 0);
    wire_add_text(&options, 5, "All");
    add_envelope(&body, "v1", "DeleteOptions", &options);
    auto_json json_t *object = k8s_protobuf_decode(body.bytes, body.size, &err);
    CHECK_JSON(object, "{'apiVersion':'v1','kind':'DeleteOptions','gracePeriodSeconds':0,"
                       "'dryRun':['All']}");
}

static void check_refused(const char *bytes, size_t size, enum err_code code)
{
    struct err err = { 0 };

    CHECK(k8s_protobuf_decode(bytes, size, &err) == NULL);
    CHECK_EQ(err.code, code);
}

TEST(what_is_no_protobuf_of_ours_is_refused)
{
    auto_buf struct buf body = { 0 };
    struct buf none = { 0 };

    check_refused("{}", 2, ERR_BAD_REQUEST);
    check_refused("k8s", 3, ERR_BAD_REQUEST);
    check_refused("k8s\0", 4, ERR_BAD_REQUEST);
    check_refused("k8s\0\x0a\x09", 6, ERR_BAD_REQUEST);
    wire_add_text(&none, 1, "x");
    add_envelope(&body, "apps/v1", "Deployment", &none);
    check_refused(body.bytes, body.size, ERR_UNSUPPORTED_MEDIA);
}

TEST(the_old_openapi_document_has_gnostics_field_numbers)
{
    auto_json json_t *document =
        json_of("{'swagger':'2.0','info':{'title':'t','version':'v'},'paths':{'/"
                "p':{'patch':{'responses':{},"
                "'parameters':[{'name':'dryRun','in':'query','type':'string'}],'x-kubernetes-"
                "action':'patch'}}},"
                "'definitions':{'D':{'description':'d','type':'object','properties':{'s':{'type':'"
                "boolean'},"
                "'l':{'type':'array','items':{'$ref':'#/definitions/D'}},"
                "'m':{'type':'object','additionalProperties':{'type':'string'}}}}}}");
    /* definitions=9{1{name=1 value=2{description=4 type=22 properties=25{...}}}} */
    static const struct {
        const char *bytes;
        size_t size;
    } parts[] = {
        { "\x0a\x03"
          "2.0",
          5 },                               /* swagger=1 */
        { "\x12\x06\x0a\x01t\x12\x01v", 8 }, /* info=2 */
        { "\x1a\x17\x12\x05query\x22\x06"
          "dryRun2\x06string",
          25 }, /* query=3 */
        { "\x22\x01"
          "d\xb2\x01\x08\x0a\x06object\xca\x01",
          15 }, /* 4, 22, 25 */
        { "\xb2\x01\x09\x0a\x07"
          "boolean",
          12 },                                                   /* type of s */
        { "\xba\x01\x13\x0a\x11\x0a\x0f#/definitions/D", 22 },    /* items=23 > $ref=1 */
        { "\xaa\x01\x0d\x0a\x0b\xb2\x01\x08\x0a\x06string", 16 }, /* additionalProperties=21 */
    };
    auto_buf struct buf bytes = { 0 };

    openapi_v2_protobuf(document, &bytes);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!memmem(bytes.bytes, bytes.size, parts[i].bytes, parts[i].size))
            check_fail(CHECK_HERE, "part %zu is missing", i);
}
