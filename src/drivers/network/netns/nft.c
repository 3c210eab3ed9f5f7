/* drivers/network/netns/nft.c - talking to nf_tables by libnftables. */
#include "drivers/network/netns/nft.h"

#include "base/fault.h"
#include "base/str.h"
#include <linux/close_range.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void context_free(struct nft_ctx *context) { nft_ctx_free(context); }
DEFINE_AUTO(struct nft_ctx, context_free)

/* A context stays in the namespace it was made in; making one takes some 30 microseconds. */
static struct nft_ctx *context_new(struct err *err)
{
    struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);

    if (!context || nft_ctx_buffer_error(context) || nft_ctx_buffer_output(context)) {
        (void)err_set(err, ERR_INTERNAL, "nftables: no context");
        context_free_auto(&context);
        return NULL;
    }
    return context;
}

/* "…: Error: Could not process rule: No such file or directory\n add rule …": the first line
 * from "Error: " on. */
static int explain(struct nft_ctx *context, struct err *err)
{
    const char *text = nft_ctx_get_error_buffer(context);
    const char *from = text ? strstr(text, "Error: ") : NULL;

    if (!from)
        return err_set(err, ERR_IO, "nftables: refused without a reason");
    from += strlen("Error: ");
    return err_set(err, ERR_IO, "nftables: %.*s", (int)strcspn(from, "\n"), from);
}

struct script {
    const char *text;
    unsigned output_flags;
    char *output; /* owned, when it went well */
    int result;
    struct err *err;
};

static void run_here(struct script *script)
{
    auto_clean(context_free_auto) struct nft_ctx *context = context_new(script->err);

    script->result = -1;
    if (!context)
        return;
    nft_ctx_output_set_flags(context, script->output_flags);
    if (nft_run_cmd_from_buffer(context, script->text)) {
        (void)explain(context, script->err);
        return;
    }
    script->output = str_dup(nft_ctx_get_output_buffer(context));
    script->result = 0;
}

/* libnftables waits with select(), which ends the process when its socket has a number above 1023;
 * a daemon with many clients has no smaller one to give. In a thread with a table of descriptors of
 * its own, and nothing in it, the socket gets a small one. */
static void *run_apart(void *arg)
{
    /* Should the kernel not know it (before 5.9), the number is what it is. */
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE);
    run_here(arg);
    return NULL;
}

static int run(struct script *script)
{
    pthread_t thread;
    int problem = pthread_create(&thread, NULL, run_apart, script);

    if (problem)
        return err_set(script->err, ERR_IO, "nftables: %s", strerror(problem));
    pthread_join(thread, NULL);
    return script->result;
}

int nft_apply(const char *text, struct err *err)
{
    struct script script = { .text = text, .err = err };
    int result = fault_fails("network.nft", err) < 0 ? -1 : run(&script);

    free(script.output);
    return result;
}

int nft_list(const char *command, json_t **ret_objects, struct err *err)
{
    struct script script = { .text = command, .output_flags = NFT_CTX_OUTPUT_JSON, .err = err };

    if (run(&script) < 0)
        return -1;
    auto_free char *text = script.output;
    auto_json json_t *answer = json_parse(text, strlen(text), err);
    json_t *objects = answer ? json_at(answer, "nftables") : NULL;
    if (!objects)
        return err_set(err, ERR_INTERNAL, "nftables: unknown answer to \"%s\"", command);
    *ret_objects = json_incref(objects);
    return 0;
}
