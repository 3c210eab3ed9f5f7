/* guest/identity_program.c - waits in a guest until it is frozen and forked, and makes the fork itself.
 *
 * It runs in guests of any distribution, so it has no library, and in a fork no code is translated and
 * no cache is warm yet, so it is little and starts nothing. What changes here is what others can see, or
 * must never be the same twice; the rest follows in a script (control/instance_identity.c). */
#include "guest/identity.h"
#include <asm-generic/errno-base.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/if.h>
#include <linux/in.h>
#include <linux/random.h>
#include <linux/route.h>
#include <linux/sockios.h>
#include <stdbool.h>

enum {
    BUSES_MAX = 8,         /* virtio consoles of a guest that are looked at */
    INTERFACES_MAX = 1024, /* numbers of network interfaces likewise */
    ADDRESSES_MAX = 16,    /* of an interface, that are taken away */
    SHORT_NS = 5 * 1000 * 1000,
    LONG_NS = 100 * 1000 * 1000,
    SHORT_WAITS = 200,     /* a second without a host: it is about to come */
    WAITS_MAX = 300,       /* ten more: nobody comes any more */
    SCHEDULER_FIFO = 1,
    SIGSTOP_NUMBER = 19,
    ARP_ETHER = 1,
    GATEWAY_METRIC = 4096, /* behind any of the guest's own */
    TEXT_SIZE = 128,
};

/* --- Linux --- */

static long system_call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

#define CALL(name, a, b, c) system_call(__NR_##name, (long)(a), (long)(b), (long)(c), 0, 0)

/* The compiler may call these. */
void *memcpy(void *to, const void *from, size_t size);
void *memcpy(void *to, const void *from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((volatile char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *to, int byte, size_t size);
void *memset(void *to, int byte, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((volatile char *)to)[i] = (char)byte;
    return to;
}

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

static bool is_same(const void *a, const void *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const char *)a)[i] != ((const char *)b)[i])
            return false;
    return true;
}

static void append(char to[TEXT_SIZE], const char *text)
{
    size_t at = length_of(to);

    for (; *text && at + 1 < TEXT_SIZE; text++)
        to[at++] = *text;
    to[at] = '\0';
}

static void join(char to[TEXT_SIZE], const char *a, const char *b, const char *c)
{
    to[0] = '\0';
    append(to, a);
    append(to, b);
    append(to, c);
}

static void number_text(unsigned long number, char to[24])
{
    char digits[24];
    int count = 0, at = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10));
    while (count)
        to[at++] = digits[--count];
    to[at] = '\0';
}

/* --- files --- */

static long write_file(const char *path, const char *bytes, size_t size, int flags)
{
    long fd = CALL(open, path, O_WRONLY | O_CLOEXEC | flags, 0644), written;

    if (fd < 0)
        return fd;
    written = size ? CALL(write, fd, bytes, size) : 0;
    CALL(close, fd, 0, 0);
    return written < 0 ? written : 0;
}

static long read_file(const char *path, char to[TEXT_SIZE])
{
    long fd = CALL(open, path, O_RDONLY | O_CLOEXEC, 0), size;

    if (fd < 0)
        return fd;
    size = CALL(read, fd, to, TEXT_SIZE - 1);
    CALL(close, fd, 0, 0);
    to[size > 0 ? size : 0] = '\0';
    return size;
}

/* --- who it is --- */

/* By itself the kernel would only draw its randomness anew after up to a minute. */
static long take_randomness(const struct guest_identity *identity)
{
    long fd = CALL(open, "/dev/urandom", O_RDWR | O_CLOEXEC, 0), result;

    if (fd < 0)
        return fd;
    result = CALL(write, fd, identity->seed, GUEST_SEED_SIZE);
    if (result >= 0)
        result = CALL(ioctl, fd, RNDRESEEDCRNG, 0);
    CALL(close, fd, 0, 0);
    return result;
}

static long take_time(const struct guest_identity *identity)
{
    const int64_t time[2] = { identity->wall_s, identity->wall_ns };

    return CALL(clock_settime, 0 /* CLOCK_REALTIME */, time, 0);
}

static void halt_process(const char *pid_file)
{
    char text[TEXT_SIZE];
    long pid = 0;

    if (read_file(pid_file, text) <= 0)
        return;
    for (const char *digit = text; *digit >= '0' && *digit <= '9' && pid < 1000000000; digit++)
        pid = 10 * pid + (*digit - '0');
    if (pid > 1)
        CALL(kill, pid, SIGSTOP_NUMBER, 0);
}

/* The parent's SSH server answers no more. To end it would have its parent work, before the first answer. */
static void halt_ssh_server(void)
{
    halt_process("/run/dropbear.pid");
    halt_process("/run/sshd.pid");
}

/* Keys that another one would read are emptied. Looked for before the guest is frozen, too, so that a
 * fork knows which there are not without asking a file system. */
static void for_each_key(void (*fn)(const char *path))
{
    static const char *const kinds[] = { "rsa", "dsa", "ecdsa", "ed25519" };

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[TEXT_SIZE];

        join(path, "/etc/ssh/ssh_host_", kinds[i], "_key");
        fn(path);
    }
}

static void look_for_key(const char *path) { CALL(access, path, 0, 0); }
static void empty_key(const char *path) { (void)write_file(path, NULL, 0, O_TRUNC); }

/* --- network cards --- */

static void set_name(struct ifreq *request, const char *name)
{
    memset(request, 0, sizeof *request);
    memcpy(request->ifr_name, name, IFNAMSIZ);
}

static bool has_mac(long fd, const char *name, const uint8_t mac[6])
{
    struct ifreq request;

    set_name(&request, name);
    return CALL(ioctl, fd, SIOCGIFHWADDR, &request) >= 0 && is_same(request.ifr_hwaddr.sa_data, mac, 6);
}

/* Also by its new address: it may have been told before. */
static bool find_interface(long fd, const struct guest_card *card, char name[IFNAMSIZ])
{
    struct ifreq request;

    for (int number = 1; number <= INTERFACES_MAX; number++) {
        memset(&request, 0, sizeof request);
        request.ifr_ifindex = number;
        if (CALL(ioctl, fd, SIOCGIFNAME, &request) < 0)
            continue;
        memcpy(name, request.ifr_name, IFNAMSIZ);
        if (has_mac(fd, name, card->old_mac) || has_mac(fd, name, card->new_mac))
            return true;
    }
    return false;
}

static long set_up(long fd, const char *name, bool is_up)
{
    struct ifreq request;
    long result;

    set_name(&request, name);
    result = CALL(ioctl, fd, SIOCGIFFLAGS, &request);
    if (result < 0)
        return result;
    request.ifr_flags = (short)(is_up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    return CALL(ioctl, fd, SIOCSIFFLAGS, &request);
}

static long set_mac(long fd, const char *name, const uint8_t mac[6])
{
    struct ifreq request;
    long result;

    set_name(&request, name);
    request.ifr_hwaddr.sa_family = ARP_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac, 6);
    result = CALL(ioctl, fd, SIOCSIFHWADDR, &request);
    if (result >= 0 || set_up(fd, name, false) < 0)
        return result;
    result = CALL(ioctl, fd, SIOCSIFHWADDR, &request); /* some only take it while they are down */
    (void)set_up(fd, name, true);
    return result;
}

static long set_address(long fd, const char *name, int what, uint32_t address)
{
    struct ifreq request;
    struct sockaddr_in *to = (struct sockaddr_in *)&request.ifr_addr;

    set_name(&request, name);
    to->sin_family = AF_INET;
    to->sin_addr.s_addr = address;
    return CALL(ioctl, fd, what, &request);
}

static void drop_addresses(long fd, const char *name)
{
    struct ifreq request;

    for (int i = 0; i < ADDRESSES_MAX; i++) {
        set_name(&request, name);
        request.ifr_addr.sa_family = AF_INET;
        if (CALL(ioctl, fd, SIOCGIFADDR, &request) < 0 || set_address(fd, name, SIOCSIFADDR, 0) < 0)
            return;
    }
}

static void add_gateway(long fd, char *name, uint32_t gateway)
{
    struct rtentry route;

    memset(&route, 0, sizeof route);
    route.rt_dst.sa_family = route.rt_genmask.sa_family = route.rt_gateway.sa_family = AF_INET;
    ((struct sockaddr_in *)&route.rt_gateway)->sin_addr.s_addr = gateway;
    route.rt_flags = RTF_UP | RTF_GATEWAY;
    route.rt_metric = GATEWAY_METRIC + 1; /* Linux takes one off */
    route.rt_dev = name;
    CALL(ioctl, fd, SIOCADDRT, &route);
}

static long set_addresses(long fd, char *name, const struct guest_card *card)
{
    long result;

    drop_addresses(fd, name);
    if (!card->address)
        return 0;
    result = set_address(fd, name, SIOCSIFADDR, card->address);
    if (result >= 0)
        result = set_address(fd, name, SIOCSIFNETMASK, card->netmask);
    if (result >= 0)
        result = set_address(fd, name, SIOCSIFBRDADDR, card->broadcast);
    if (result >= 0 && card->gateway)
        add_gateway(fd, name, card->gateway);
    return result;
}

/* Addresses of IPv6 are made of the MAC address, so IPv6 begins anew with the other one. What manages the
 * network in a guest (networkd, NetworkManager) asks for them when the link comes up, and must not lose
 * them after that. Our own image has the script do it, when the first answers have been given. */
static bool begins_ipv6_anew(const char *path)
{
    char text[TEXT_SIZE];

    return CALL(access, "/usr/lib/virga/network", 0, 0) < 0 && read_file(path, text) > 0 && text[0] == '0';
}

static long take_card(long fd, const struct guest_card *card)
{
    char name[IFNAMSIZ], path[TEXT_SIZE];
    bool is_anew;
    long result;

    if (!find_interface(fd, card, name))
        return -ENODEV;
    name[IFNAMSIZ - 1] = '\0';
    join(path, "/proc/sys/net/ipv6/conf/", name, "/disable_ipv6");
    is_anew = begins_ipv6_anew(path);
    if (is_anew)
        (void)write_file(path, "1\n", 2, 0);
    result = set_mac(fd, name, card->new_mac);
    if (result >= 0)
        result = set_addresses(fd, name, card);
    if (is_anew)
        (void)write_file(path, "0\n", 2, 0);
    return result;
}

static long take_cards(const struct guest_identity *identity)
{
    long fd = CALL(socket, AF_INET, 2 /* SOCK_DGRAM */, 0), result = 0;

    if (fd < 0)
        return fd;
    for (uint32_t i = 0; i < identity->card_count && i < GUEST_CARDS_MAX && result >= 0; i++)
        result = take_card(fd, &identity->cards[i]);
    CALL(close, fd, 0, 0);
    return result;
}

/* --- all of it --- */

static void refuse(char text[TEXT_SIZE], const char *step, long error)
{
    char number[24];

    number_text((unsigned long)error, number);
    join(text, step, ": error ", number);
}

static long take_hostname(const struct guest_identity *identity)
{
    return CALL(sethostname, identity->hostname, length_of(identity->hostname), 0);
}

struct step {
    const char *name;
    long (*fn)(const struct guest_identity *identity);
};

static void take(const struct guest_identity *identity, const struct step *steps, size_t count, char text[TEXT_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        long result = steps[i].fn(identity);

        if (result < 0) {
            refuse(text, steps[i].name, -result);
            return;
        }
    }
    join(text, "ok", "", "");
}

static void become(const struct guest_identity *identity, char text[TEXT_SIZE])
{
    static const struct step clock = { "clock", take_time };
    static const struct step steps[] = {
        { "random numbers", take_randomness },
        { "host name", take_hostname },
        { "clock", take_time },
        { "network cards", take_cards },
    };

    if (is_same(identity->magic, GUEST_CLOCK_MAGIC, sizeof identity->magic)) {
        take(identity, &clock, 1, text);
        return;
    }
    if (!is_same(identity->magic, GUEST_IDENTITY_MAGIC, sizeof identity->magic) ||
        identity->hostname[GUEST_HOSTNAME_SIZE - 1]) {
        join(text, "it is of another version", "", "");
        return;
    }
    halt_ssh_server();
    for_each_key(empty_key);
    take(identity, steps, sizeof steps / sizeof steps[0], text);
}

/* --- the port --- */

static long open_port(void)
{
    char number[24], place[TEXT_SIZE], path[TEXT_SIZE], name[TEXT_SIZE];

    for (unsigned bus = 0; bus < BUSES_MAX; bus++) {
        for (unsigned port = 0; port < BUSES_MAX; port++) {
            number_text(bus, number);
            join(place, "vport", number, "p");
            number_text(port, number);
            join(path, "/sys/class/virtio-ports/", place, number);
            append(path, "/name");
            if (read_file(path, name) < (long)sizeof GUEST_IDENTITY_PORT ||
                !is_same(name, GUEST_IDENTITY_PORT "\n", sizeof GUEST_IDENTITY_PORT))
                continue;
            join(path, "/dev/", place, number);
            return CALL(open, path, O_RDWR | O_CLOEXEC, 0);
        }
    }
    return -ENODEV;
}

/* False: nobody has been there for long. Reading ends at once when the host's side is not open. */
static bool read_whole(long port, struct guest_identity *identity)
{
    size_t have = 0;
    int waits = 0;

    while (have < sizeof *identity) {
        long got = CALL(read, port, (char *)identity + have, sizeof *identity - have);
        const int64_t delay[2] = { 0, waits < SHORT_WAITS ? SHORT_NS : LONG_NS };

        if (got > 0) {
            have += (size_t)got;
            waits = 0;
        } else if (++waits > WAITS_MAX) {
            return false;
        } else {
            have = 0;
            CALL(nanosleep, delay, 0, 0);
        }
    }
    return true;
}

/* Told again, it does it again: the daemon may have died before it had the answer. */
static void serve(long port)
{
    static struct guest_identity identity;
    char text[TEXT_SIZE];

    while (read_whole(port, &identity)) {
        become(&identity, text);
        append(text, "\n");
        CALL(write, port, text, length_of(text));
    }
}

__attribute__((noreturn, used)) void identity_main(long *stack);
__attribute__((noreturn, used)) void identity_main(long *stack)
{
    const char *const *argv = (const char *const *)(stack + 1);
    const int priority = 1;
    long port = open_port(), child = port < 0 ? port : CALL(fork, 0, 0, 0);

    if (child >= 0 || port == -EBUSY)
        CALL(unlink, argv[0], 0, 0);
    if (port == -EBUSY) /* one waits already */
        child = 1;
    if (child == 0) {
        CALL(setsid, 0, 0, 0);
        /* A fork that goes on has much to do at once, and this first. Not every kernel allows it. */
        CALL(sched_setscheduler, 0, SCHEDULER_FIFO, &priority);
        for (int fd = 0; fd < 3; fd++) /* the agent waits for their end */
            CALL(close, fd, 0, 0);
        for_each_key(look_for_key);
        serve(port);
    }
    for (;;)
        CALL(exit_group, child < 0 ? -child : 0, 0, 0);
}

__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call identity_main\n");
