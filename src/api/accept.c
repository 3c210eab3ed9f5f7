/* api/accept.c - what form of an answer a client asks for. */
#include "api/accept.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t length;
};

struct media {
    struct span type; /* "application/json" */
    struct span as, group, version;
    bool refused; /* q=0 */
};

static bool is(struct span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.at, text, span.length) == 0;
}

static struct span trim(struct span span)
{
    while (span.length && (span.at[0] == ' ' || span.at[0] == '\t' || span.at[0] == '"'))
        span.at++, span.length--;
    while (span.length && strchr(" \t\"", span.at[span.length - 1]))
        span.length--;
    return span;
}

/* Cuts the part up to 'end' off the front of '*rest'. */
static struct span cut(struct span *rest, char end)
{
    const char *found = memchr(rest->at, end, rest->length);
    struct span part = { rest->at, found ? (size_t)(found - rest->at) : rest->length };
    size_t used = part.length + (found != NULL);

    *rest = (struct span){ rest->at + used, rest->length - used };
    return trim(part);
}

static bool is_zero(struct span number)
{
    for (size_t i = 0; i < number.length; i++)
        if (number.at[i] != '0' && number.at[i] != '.')
            return false;
    return number.length > 0;
}

static struct media parse_media(struct span text)
{
    struct media media = { .type = cut(&text, ';') };

    while (text.length) {
        struct span value = cut(&text, ';');
        struct span name = cut(&value, '=');

        value = trim(value);
        if (is(name, "as"))
            media.as = value;
        else if (is(name, "g"))
            media.group = value;
        else if (is(name, "v"))
            media.version = value;
        else if (is(name, "q"))
            media.refused = is_zero(value);
    }
    return media;
}

static enum accept_form transformed_form(const struct media *media)
{
    bool is_meta = is(media->group, "meta.k8s.io");

    if (is(media->as, "Table") && is_meta && is(media->version, "v1"))
        return ACCEPT_TABLE;
    if (is(media->as, "Table") && is_meta && is(media->version, "v1beta1"))
        return ACCEPT_TABLE_BETA;
    if (is(media->as, "PartialObjectMetadata") && is_meta && is(media->version, "v1"))
        return ACCEPT_PARTIAL;
    if (is(media->as, "PartialObjectMetadataList") && is_meta && is(media->version, "v1"))
        return ACCEPT_PARTIAL_LIST;
    if (is(media->as, "APIGroupDiscoveryList") && is(media->group, "apidiscovery.k8s.io") &&
        is(media->version, "v2"))
        return ACCEPT_DISCOVERY;
    return ACCEPT_NONE;
}

static enum accept_form form_of(const struct media *media)
{
    bool is_any = is(media->type, "*/*") || is(media->type, "application/*");

    if (is(media->type, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf") ||
        is(media->type, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"))
        return ACCEPT_OPENAPI_PROTOBUF;
    if (!is_any && !is(media->type, "application/json") &&
        !is(media->type, "application/vnd.kubernetes.protobuf"))
        return ACCEPT_NONE;
    return media->as.length ? transformed_form(media) : ACCEPT_JSON;
}

enum accept_form accept_choose(const char *accept, unsigned offered)
{
    struct span rest = { accept ? accept : "", accept ? strlen(accept) : 0 };

    if (trim(rest).length == 0)
        return ACCEPT_JSON;
    while (rest.length) {
        struct media media = parse_media(cut(&rest, ','));
        enum accept_form form = media.refused ? ACCEPT_NONE : form_of(&media);

        if (form & (offered | ACCEPT_JSON))
            return form;
    }
    return ACCEPT_NONE;
}
