/* cli/own_files.c - see own_files.h */
#include "cli/own_files.h"
#include "base/files.h"
#include "base/spawn.h"
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static const char *home(void)
{
    const char *path = getenv("HOME");
    const struct passwd *user = path && path[0] == '/' ? NULL : getpwuid(getuid());

    return user ? user->pw_dir : path && path[0] == '/' ? path : "/";
}

char *own_file(const char *name, struct err *err)
{
    const char *data = getenv("XDG_DATA_HOME");
    auto_free char *folder = data && data[0] == '/' ? str_printf("%s/virga", data)
                                                    : str_printf("%s/.local/share/virga", home());

    if (dir_make(folder, 0700, err) < 0)
        return NULL;
    return str_printf("%s/%s", folder, name);
}

/* "PATH.pub", made with its private half when it is missing. NULL when that fails. */
static char *own_key(bool makes)
{
    struct err err;
    auto_free char *private_key = own_file("id_ed25519", &err);
    auto_free char *public_key = private_key ? str_printf("%s.pub", private_key) : NULL;

    if (!public_key || access(public_key, R_OK) == 0)
        return take_pointer(public_key);
    const char *const argv[] = { "ssh-keygen", "-q",    "-t", "ed25519",   "-N",
                                 "",           "-C",    "virga", "-f", private_key, NULL };
    if (!makes || spawn_wait(&(struct spawn){ .argv = argv }, NULL, &err) < 0)
        return NULL;
    return take_pointer(public_key);
}

int own_public_keys(char **paths, int max, bool makes)
{
    static const char *const names[] = { "id_ed25519", "id_ecdsa", "id_rsa" };
    int count = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && count < max; i++) {
        char *path = str_printf("%s/.ssh/%s.pub", home(), names[i]);

        if (access(path, R_OK) == 0)
            paths[count++] = path;
        else
            free(path);
    }
    if (count == 0 && max > 0 && (paths[0] = own_key(makes)))
        count = 1;
    return count;
}
