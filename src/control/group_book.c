/* control/group_book.c - groups and their members by name, kept in memory.
 *
 * Only this controller makes members, so the book knows them all: those it found in the store when it
 * began, and those it asked for since. */
#include "control/group.h"
#include "control/balancers.h"
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

static void member_free(void *value)
{
    struct member_book *book = value;

    probes_cut_off(book);
    free(book->why_failed);
    free(book->not_ready);
    free(book->not_alive);
    free(book->boot);
    free(book->hooked_boot);
    free(book->name);
    free(book);
}

static void group_free(void *value)
{
    struct group_book *book = value;

    map_free(book->members);
    group_book_forget_seed(book);
    free(book->uid);
    free(book->namespace_name);
    free(book->name);
    free(book->not_made);
    free(book);
}

static void books_free(void *books) { map_free(books); }

static struct map *books_of(struct control *control)
{
    struct map *books = control_extension(control, "groups");

    if (!books) {
        books = map_new(group_free);
        control_set_extension(control, "groups", books, books_free);
    }
    return books;
}

static struct group_book *book_for(struct control *control, const char *uid, const char *namespace_name,
                                   const char *name)
{
    struct group_book *book = map_get(books_of(control), uid);

    if (book)
        return book;
    book = mem_new(struct group_book);
    *book = (struct group_book){ control, str_dup(uid), str_dup(namespace_name), str_dup(name), map_new(member_free), NULL };
    map_set(books_of(control), uid, book);
    return book;
}

struct group_book *group_book_of(struct control *control, const json_t *group)
{
    return book_for(control, object_uid(group), object_namespace(group), object_name(group));
}

static struct member_book *member_new(struct group_book *book, const char *name)
{
    struct member_book *member = mem_new(struct member_book);

    member->group = book;
    member->name = str_dup(name);
    return member;
}

struct member_book *group_book_add(struct group_book *book, const char *name)
{
    struct member_book *member = map_get(book->members, name);

    if (member)
        return member;
    member = member_new(book, name);
    map_set(book->members, name, member);
    return member;
}

void member_book_fails(struct member_book *book, const char *why)
{
    book->has_failed = true;
    if (str_equal(book->why_failed, why))
        return;
    free(book->why_failed);
    book->why_failed = str_dup(why);
}

struct member_book *group_book_seed(struct group_book *book, const char *name)
{
    if (book->seed && str_equal(book->seed->name, name))
        return book->seed;
    group_book_forget_seed(book);
    book->seed = member_new(book, name);
    return book->seed;
}

void group_book_forget_seed(struct group_book *book)
{
    if (book->seed)
        member_free(book->seed);
    book->seed = NULL;
}

void group_book_drop(struct group_book *book, const char *name)
{
    (void)map_remove(book->members, name); /* not there is fine */
}

void group_books_forget(struct control *control, const char *uid) { (void)map_remove(books_of(control), uid); }

static void adopt(void *arg, const json_t *instance)
{
    const json_t *owners = json_at(instance, "metadata.ownerReferences");

    if (json_object_get(json_at(instance, "metadata.labels"), LABEL_SEED))
        return;
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *owner = json_array_get(owners, i);

        if (!str_equal(json_text_at(owner, "kind", NULL), kind_instance_group.name))
            continue;
        (void)group_book_add(book_for(arg, json_text_at(owner, "uid", ""), object_namespace(instance),
                                      json_text_at(owner, "name", "")),
                             object_name(instance));
    }
}

int group_books_start(struct control *control, struct err *err)
{
    control_each(control, &kind_instance, NULL, adopt, control);
    return 0;
}
