/* kinds/tables/ssh_keys.c - public keys, as sshd(8) describes them below AUTHORIZED_KEYS FILE FORMAT. */
#include "base/str.h"
#include "kinds/tables/shapes.h"
#include <string.h>

static bool is_key_type(const char *word)
{
    static const char *const prefixes[] = { "ssh-", "ecdsa-", "sk-" };

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(word, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* "[OPTIONS] TYPE KEY [COMMENT]": every key begins with the length of its type, three bytes of 0. */
static bool is_public_key(const char *line)
{
    if (strpbrk(line, "\r\n"))
        return false;
    for (const char *word = line; word; word = strchr(word, ' ')) {
        word += strspn(word, " ");

        const char *key = strchr(word, ' ');
        if (key && is_key_type(word) && strncmp(key + strspn(key, " "), "AAAA", 4) == 0)
            return true;
    }
    return false;
}

void check_ssh_keys(const json_t *spec, const json_t *old_spec, const char *path, struct causes *causes)
{
    const json_t *keys = json_object_get(spec, "sshKeys");

    if (json_equal(keys, json_object_get(old_spec, "sshKeys")))
        return;
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *line = json_string_value(json_array_get(keys, i));
        auto_free char *field = str_printf("%s.sshKeys[%zu]", path, i);

        /* Not told back: it may be a private one. */
        if (line && !is_public_key(line))
            causes_add(causes, "FieldValueInvalid", field,
                       "Invalid value: must be one line of authorized_keys, as \"ssh-ed25519 AAAA... name\"%s",
                       strstr(line, "PRIVATE KEY") ? "; this is a private key" : "");
    }
}
