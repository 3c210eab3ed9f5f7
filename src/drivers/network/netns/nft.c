/* drivers/network/netns/nft.c - talking to nf_tables. */
#include "drivers/network/netns/nft.h"

#include "base/fault.h"
#include "base/str.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/close_range.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- by text --- */

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

/* --- one counter --- */

struct counter {
    bool is_found;
    uint64_t packets;
};

static const struct nlattr *nested(const struct nlattr *parent, uint16_t type)
{
    const struct nlattr *attribute;

    mnl_attr_for_each_nested(attribute,
                             parent) if (mnl_attr_get_type(attribute) == type) return attribute;
    return NULL;
}

/* Follows NFTA_..._LIST_ELEMENTS, LIST_ELEM, SET_ELEM_EXPR, EXPR_DATA, COUNTER_PACKETS. */
static int on_element(const struct nlmsghdr *header, void *arg)
{
    static const uint16_t path[] = { NFTA_LIST_ELEM, NFTA_SET_ELEM_EXPR, NFTA_EXPR_DATA,
                                     NFTA_COUNTER_PACKETS };
    struct counter *counter = arg;
    const struct nlattr *attribute, *at = NULL;

    mnl_attr_for_each(attribute, header,
                      sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attribute) ==
                                                   NFTA_SET_ELEM_LIST_ELEMENTS) at = attribute;
    for (size_t i = 0; at && i < sizeof path / sizeof path[0]; i++)
        at = nested(at, path[i]);
    if (at && mnl_attr_get_payload_len(at) == sizeof(uint64_t)) {
        counter->is_found = true;
        counter->packets = be64toh(mnl_attr_get_u64(at));
    }
    return MNL_CB_OK;
}

static void put_query(struct nlmsghdr *header, const char *table, const char *set,
                      const char *interface)
{
    char key[IFNAMSIZ] = "";
    struct nfgenmsg *body;

    header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header->nlmsg_seq = 1;
    body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    body->nfgen_family = NFPROTO_BRIDGE;
    body->version = NFNETLINK_V0;
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, table);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set);
    strncpy(key, interface, sizeof key - 1);
    struct nlattr *elements = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    struct nlattr *element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    struct nlattr *holder = mnl_attr_nest_start(header, NFTA_SET_ELEM_KEY);
    mnl_attr_put(header, NFTA_DATA_VALUE, sizeof key, key);
    mnl_attr_nest_end(header, holder);
    mnl_attr_nest_end(header, element);
    mnl_attr_nest_end(header, elements);
}

static int ask(struct mnl_socket *socket, const struct nlmsghdr *header, struct counter *counter)
{
    _Alignas(struct nlmsghdr) char bytes[8192];
    int more = MNL_CB_OK;

    if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
        return -1;
    while (more == MNL_CB_OK) {
        ssize_t size = mnl_socket_recvfrom(socket, bytes, sizeof bytes);

        if (size < 0)
            return -1;
        more = mnl_cb_run(bytes, (size_t)size, header->nlmsg_seq, 0, on_element, counter);
    }
    return more;
}

int nft_read_counter(const char *table, const char *set, const char *interface,
                     uint64_t *ret_packets, struct err *err)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    _Alignas(struct nlmsghdr) char bytes[1024];
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct counter counter = { 0 };
    int result = 0;

    put_query(header, table, set, interface);
    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        ask(socket, header, &counter) < 0)
        result = err_errno(err, "counter of %s", interface);
    else if (!counter.is_found)
        result = err_set(err, ERR_NOT_FOUND, "%s has no counter", interface);
    else
        *ret_packets = counter.packets;
    if (socket)
        mnl_socket_close(socket);
    return result;
}
