/* cli/cmd_image.c - image import and image build. */
#include "cli/common.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_url(const char *text)
{
    return str_starts(text, "http://") || str_starts(text, "https://");
}

static json_t *image_object(struct session *session, const char *name, const char *url,
                            const char *checksum, struct err *err)
{
    json_t *object = new_object(session, kind_find_name("images"), name, err);

    if (!object)
        return NULL;
    if (url)
        json_set_at(object, "spec.source.url", json_string(url));
    else
        json_set_at(object, "spec.source.upload", json_true());
    if (checksum)
        json_set_at(object, "spec.source.checksum", json_string(checksum));
    return object;
}

static int open_source(const char *file, int64_t *ret_size, struct err *err)
{
    int fd = str_equal(file, "-") ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
    struct stat stat;

    if (fd < 0 || fstat(fd, &stat) < 0)
        return err_errno(err, "%s", file);
    if (S_ISDIR(stat.st_mode)) {
        close(fd);
        return err_set(err, ERR_BAD_REQUEST, "%s: is a folder", file);
    }
    *ret_size = S_ISREG(stat.st_mode) ? stat.st_size : -1;
    return fd;
}

struct import {
    const char *name, *source, *checksum;
    bool waits, resumes;
    char *uid; /* of the image made for it, owned; NULL: it was there before */
};

static void import_done_auto(struct import *import) { free(import->uid); }

/* An import that was refused leaves nothing behind: the name is free for the right file. Only what it
 * made itself goes: by now another image may be called so. */
static void take_back(struct session *session, const struct kind *kind, const struct import *import)
{
    auto_free char *path = object_path(session, kind, import->name, NULL);
    auto_json json_t *options = json_pack("{s:{s:s*}}", "preconditions", "uid", import->uid);
    struct err err;

    if (import->uid &&
        client_send(session->client,
                    &(struct client_request){ .method = "DELETE", .path = path, .body = options }, NULL, &err) == 0)
        session_hint(session, "nothing of it was kept");
    else
        session_hint(session, "\"virga describe image %s\" tells more", import->name);
}

static int upload(struct session *session, const struct kind *kind, const struct import *import,
                  int fd, int64_t size, struct err *err)
{
    if (upload_image(session, import->name, fd, size, import->resumes, err) == 0)
        return 0;
    if (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT)
        session_hint(session, "\"virga image import --resume %s %s\" goes on", import->name,
                     import->source);
    else if (err->code == ERR_CONFLICT) /* somebody else is at it, or was */
        session_hint(session, "\"virga describe image %s\" tells more", import->name);
    else
        take_back(session, kind, import);
    return err_wrap(err, "upload");
}

/* Whether the image will not become ready any more; else it goes on by itself, also when it could not
 * be watched. */
static bool is_refused(struct session *session, const struct kind *kind, const struct import *import)
{
    auto_free char *path = object_path(session, kind, import->name, NULL);
    auto_json json_t *image = NULL;
    struct err err;

    return client_get(session->client, path, &image, &err) == 0 &&
           str_equal(json_text_at(image, "status.phase", ""), "Failed");
}

static int create_image(struct session *session, const struct kind *kind, struct import *import, bool by_url,
                        struct err *err)
{
    auto_json json_t *made = NULL, *object = image_object(session, import->name, by_url ? import->source : NULL,
                                                          import->checksum, err);

    if (!object || create_object(session, kind, object, &made, err) < 0)
        return -1;
    import->uid = str_dup(json_text_at(made, "metadata.uid", NULL));
    return 0;
}

static int run_import(struct session *session, struct import *import, struct err *err)
{
    const struct kind *kind = kind_find_name("images");
    bool by_url = is_url(import->source);
    int64_t size = -1;
    auto_close int fd = by_url ? -1 : open_source(import->source, &size, err);

    if (!by_url && fd < 0)
        return -1;
    if (import->resumes && size < 0)
        return usage_error(session, err, "--resume needs a file");
    if (!import->resumes && create_image(session, kind, import, by_url, err) < 0)
        return -1;
    if (!by_url && upload(session, kind, import, fd, size, err) < 0)
        return -1;
    if (import->waits && wait_for_phase(session, kind, import->name, "Ready", WAIT_MS_DEFAULT, err) < 0) {
        if (is_refused(session, kind, import))
            take_back(session, kind, import);
        return -1;
    }
    print_done(kind, import->name, import->waits ? "ready" : "created");
    return 0;
}

COMMAND(cmd_image_import)
{
    auto_clean(import_done_auto) struct import import = { .name = arguments->operands[0],
                             .source = arguments->operands[1],
                             .checksum = argument(arguments, "checksum"),
                             .waits = !argument_given(arguments, "no-wait"),
                             .resumes = argument_given(arguments, "resume") };

    return run_import(session, &import, err);
}

/* --- build --- */

/* "/usr/local" of "/usr/local/bin/virga": the path of this program without its last 'count' names. */
static char *program_folder_above(int count)
{
    char self[4096] = "";
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    for (int up = 0; length > 0 && up < count; up++) {
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
    }
    return str_dup(self);
}

/* The recipe's script: in $VIRGA_IMAGES, where it is installed, or in the source tree the program
 * was built in (BUILD/src/cli/virga). Owned, or NULL. */
static char *find_recipe(const char *recipe)
{
    auto_free char *prefix = program_folder_above(2), *source = program_folder_above(4);
    auto_free char *installed = str_printf("%s/share/virga/images", prefix);
    auto_free char *in_source = str_printf("%s/images", source);
    const char *const folders[] = { getenv("VIRGA_IMAGES"), installed, in_source };

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = folders[i] ? str_printf("%s/%s/build", folders[i], recipe) : NULL;

        if (path && access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/* With our terminal and environment: recipes say what they do. */
static int run_to_end(const char *const *argv, struct err *err)
{
    pid_t child = fork();
    int status;

    if (child < 0)
        return err_errno(err, "fork");
    if (child == 0) {
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    if (waitpid(child, &status, 0) < 0)
        return err_errno(err, "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERR_INTERNAL, "%s failed", argv[0]);
    return 0;
}

static int run_recipe(const char *script, const char *output, const struct arguments *arguments,
                      struct err *err)
{
    const char *argv[2 * ARGUMENT_OPTIONS_MAX + 3] = { script };
    size_t count = 1;

    for (size_t i = 0; i < arguments->option_count; i++) {
        if (!str_equal(arguments->options[i].name, "package"))
            continue;
        argv[count++] = "--package";
        argv[count++] = arguments->options[i].value;
    }
    argv[count] = output;
    return run_to_end(argv, err);
}

static bool is_recipe_name(const char *text)
{
    return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

COMMAND(cmd_image_build)
{
    const char *recipe = arguments->operands[0], *name = argument(arguments, "name");
    char folder[] = "/var/tmp/virga-image-XXXXXX";
    auto_free char *script = is_recipe_name(recipe) ? find_recipe(recipe) : NULL;
    int result;

    if (!script) {
        session_hint(session, "there are micro, debian-12 and debian-13, and those in the folder "
                              "that $VIRGA_IMAGES names");
        return err_set(err, ERR_NOT_FOUND, "there is no recipe \"%s\"", recipe);
    }
    if (!mkdtemp(folder))
        return err_errno(err, "%s", folder);
    auto_free char *output = str_printf("%s/image", folder);
    result = run_recipe(script, output, arguments, err);
    if (result == 0) {
        auto_clean(import_done_auto) struct import import = { .name = name ? name : recipe, .source = output,
                                                              .waits = true };
        result = run_import(session, &import, err);
    }
    if (result == 0 || (err->code != ERR_UNAVAILABLE && err->code != ERR_TIMEOUT)) { /* else it can go on */
        unlink(output);
        rmdir(folder);
    }
    return result;
}
