/* tests/unit/store/site.h - a store on disk, on a simulated loop, that can be closed and opened. */
#pragma once
#include "bench.h"
#include "folder.h"

struct site {
    struct loop *loop;
    char *folder;
    struct store_sqlite_options options;
    struct store *store;
};

static inline void site_open(struct site *site)
{
    struct err err = { 0 };

    site->options.directory = site->folder;
    site->store = store_sqlite_open(site->loop, &site->options, &err);
    if (!site->store)
        CHECK_STR(err.text, "");
}

static inline void site_close(struct site *site) { store_free(take_pointer(site->store)); }

static inline void site_reopen(struct site *site)
{
    site_close(site);
    site_open(site);
}

static inline void site_done(struct site *site)
{
    if (site->store)
        site_close(site);
    scratch_remove(site->folder);
    loop_free(site->loop);
}

/* TEST_SITE(sentence) { ... 'site' ... } */
#define TEST_SITE(sentence)                                                                        \
    static void sentence##_with(struct site *site);                                                \
    TEST(sentence)                                                                                 \
    {                                                                                              \
        struct site site = { .loop = loop_sim_new(5), .folder = folder_new() };                    \
                                                                                                   \
        site_open(&site);                                                                          \
        sentence##_with(&site);                                                                    \
        site_done(&site);                                                                          \
    }                                                                                              \
    static void sentence##_with(struct site *site)

static inline struct answer write_at(struct site *site, const char *key, const char *text)
{
    return put(site->loop, site->store, key, text, STORE_ANY_REVISION);
}

static inline struct answer remove_at(struct site *site, const char *key)
{
    return take_out(site->loop, site->store, key, "last", STORE_ANY_REVISION);
}

static inline char *site_path(const struct site *site, const char *name)
{
    return str_printf("%s/%s", site->folder, name);
}
