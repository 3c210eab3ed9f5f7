/* control/group_join.c - from ready to serving, and back.
 *
 * The condition Serving of the Instance says whether balancers may send it traffic. It is set when
 * the member is ready for the first time and its join hook has run, and follows readiness from then
 * on. When its machine is started anew (as a fork is that was reset: its memory is gone) that begins
 * anew too, by the mark ANNOTATION_JOINED. */
#include "control/group.h"
#include "control/balancers.h"
#include "control/guest_exec.h"
#include "control/internal.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAID_LENGTH = 200 };

/* --- hooks --- */

/* What went wrong stands last in what a command wrote. */
static const char *last_of(const char *output)
{
    size_t length = strlen(output);

    while (length && isspace((unsigned char)output[length - 1]))
        length--;
    return length > SAID_LENGTH ? output + length - SAID_LENGTH : output;
}

static void hook_ended(void *arg, const struct err *err, int exit_code, const char *output)
{
    struct done *done = arg;
    struct err failure;

    if (!err && exit_code != 0)
        (void)err_set(&failure, ERR_INTERNAL, "the command ended with status %d: %.*s", exit_code, SAID_LENGTH,
                      last_of(output));
    done_call(*done, err ? err : exit_code ? &failure : NULL);
    free(done);
}

void group_hook_run(struct group_scene *scene, size_t member, const char *hook, const char *op)
{
    const json_t *rule = json_at(scene->object, hook), *command = json_object_get(rule, "command");
    size_t count = json_array_size(command);
    auto_free const char **argv = mem_array(count + 1, sizeof *argv);
    struct done done;
    int64_t timeout_ms = 30 * 1000;
    struct err err;

    if (!work_op_begin(scene->work, op))
        return;
    for (size_t i = 0; i < count; i++)
        argv[i] = json_string_value(json_array_get(command, i));
    argv[count] = NULL;
    (void)duration_parse(json_text_at(rule, "timeout", "30s"), &timeout_ms, &err); /* validated */
    done = work_op_done(scene->work, op);
    guest_exec(scene->work->control, object_uid(scene->instances[member]), argv, NULL, 0, timeout_ms, hook_ended,
               mem_copy(&done, sizeof done));
}

/* --- the condition --- */

static void mark_joined(json_t *instance)
{
    if (!json_at(instance, "metadata.annotations"))
        json_set_at(instance, "metadata.annotations", json_object());
    json_object_set_new(json_at(instance, "metadata.annotations"), ANNOTATION_JOINED,
                        json_string(json_text_at(instance, "status.startedAt", "")));
}

static void set_serving(struct group_scene *scene, size_t member, bool serves)
{
    const char *name = scene->members[member].name;
    auto_free char *op = str_printf("serving %s", name);
    json_t *copy;
    struct err err = { 0 };

    /* Somebody else wrote it meanwhile: look at what it is now and try again at once. */
    if (work_op(scene->work, op, &err) == OP_FAILED && err.code == ERR_CONFLICT)
        work_op_reset(scene->work, op);
    if (!work_op_begin(scene->work, op))
        return;
    copy = json_deep_copy(scene->instances[member]);
    if (serves)
        mark_joined(copy);
    (void)condition_set(copy, CONDITION_SERVING, serves ? "True" : "False", serves ? "Ready" : "NotReady", "",
                        control_wall_ms(scene->work->control));
    control_update(scene->work->control, &kind_instance, copy, work_op_done(scene->work, op));
}

/* What came of it in an earlier boot is of no interest. */
static void forget_hook_of_other_boot(struct group_scene *scene, struct member_book *book, const char *op)
{
    if (str_equal(book->hooked_boot, book->boot))
        return;
    free(book->hooked_boot);
    book->hooked_boot = str_dup(book->boot);
    work_op_drop(scene->work, op);
}

/* True when it has run in this boot, or there is none. */
static bool hook_has_run(struct group_scene *scene, size_t member)
{
    const char *name = scene->members[member].name;
    auto_free char *op = str_printf("join %s", name);
    struct member_book *book = scene->books[member];
    struct err err = { 0 };

    if (!json_at(scene->object, "spec.hooks.join"))
        return true;
    forget_hook_of_other_boot(scene, book, op);
    if (work_op_succeeded(scene->work, op))
        return true;
    if (work_op(scene->work, op, &err) == OP_FAILED) {
        work_event(scene->work, "Warning", "JoinFailed", "member %s: %s", name, err.text);
        work_op_reset(scene->work, op);
        auto_free char *why = str_printf("its join hook failed: %s", err.text);
        member_book_fails(book, why);
        group_again(scene, 0);
        return false;
    }
    group_hook_run(scene, member, "spec.hooks.join", op);
    return false;
}

void group_join_member(struct group_scene *scene, size_t member)
{
    const json_t *instance = scene->instances[member];
    bool has_joined = member_has_joined(instance), serves = condition_is_true(instance, CONDITION_SERVING);
    bool is_ready = scene->books[member]->is_ready;

    if (is_ready && !has_joined && !hook_has_run(scene, member)) {
        if (serves)
            set_serving(scene, member, false);
        return;
    }
    if (serves == is_ready && (has_joined || !is_ready))
        return;
    if (!has_joined && is_ready)
        work_event(scene->work, "Normal", "MemberReady", "member %s serves", scene->members[member].name);
    set_serving(scene, member, is_ready);
}
