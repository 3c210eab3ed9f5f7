/* drivers/balancer/haproxy/holding.c - requests held in the proxy while no member gets traffic. */
#include "drivers/balancer/haproxy/holding.h"
#include "drivers/balancer/haproxy/config_text.h"
#include <string.h>

enum { DIGITS_MAX = 7, INSPECT_EXTRA_MS = 1000 };

/* Whoever is held looks again every few milliseconds; many look less often, so that the time it
 * takes does not grow with their number. One whose client went away is no longer called: it is known
 * by the time of its last look. */
const char *const holding_script =
    "local places = {}\n"
    "\n"
    "local function now()\n"
    "  local t = core.now()\n"
    "  return t.sec * 1000 + math.floor(t.usec / 1000)\n"
    "end\n"
    "\n"
    "local function count(place, t)\n"
    "  place.count = 0\n"
    "  for one, looked in pairs(place.looked) do\n"
    "    if t - looked > 1000 then place.looked[one] = nil else place.count = place.count + 1 end\n"
    "  end\n"
    "end\n"
    "\n"
    "local function tell(place, t)\n"
    "  place.told = t\n"
    "  core.log(core.info, 'held ' .. place.name .. ' ' .. place.count .. ' ' .. core.thread)\n"
    "end\n"
    "\n"
    "local function hold(txn, name, most, limit)\n"
    "  local place = places[name] or { name = name, count = 0, looked = {}, told = 0 }\n"
    "  local begin, one = now(), {}\n"
    "  local t = begin\n"
    "  places[name] = place\n"
    "  if place.count >= tonumber(most) then count(place, t) end\n"
    "  if place.count >= tonumber(most) then return end\n"
    "  place.looked[one] = t\n"
    "  place.count = place.count + 1\n"
    "  if place.count == 1 then tell(place, t) end\n"
    "  while txn.f:nbsrv(name) == 0 and t - begin < tonumber(limit) do\n"
    "    core.msleep(10 + math.floor(place.count / 10))\n"
    "    t = now()\n"
    "    place.looked[one] = t\n"
    "    if t - place.told >= 1000 then\n"
    "      count(place, t)\n"
    "      tell(place, t)\n"
    "    end\n"
    "  end\n"
    "  place.looked[one] = nil\n"
    "  count(place, t)\n"
    "  if place.count == 0 then tell(place, t) end\n"
    "end\n"
    "\n"
    "core.register_action('hold', { 'tcp-req', 'http-req' }, hold, 3)\n";

bool holding_is_wanted(const struct balancer_config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].held_max)
            return true;
    return false;
}

void holding_rules(const struct balancer_backend *backend, unsigned threads, struct buf *to)
{
    unsigned share = threads ? (backend->held_max + threads - 1) / threads : backend->held_max;

    if (!backend->held_max)
        return;
    /* In TCP a rule may wait no longer than the delay. */
    if (!backend->is_http)
        buf_printf(to, "  tcp-request inspect-delay %lldms\n",
                   (long long)backend->queue_timeout_ms + INSPECT_EXTRA_MS);
    buf_printf(to, "  %s lua.hold " BACKEND_PREFIX "%s %u %lld if { nbsrv eq 0 }\n",
               backend->is_http ? "http-request" : "tcp-request content", backend->name,
               share, (long long)backend->queue_timeout_ms);
}

/* False: none is there. */
static bool read_number(const char **at, const char *end, unsigned *ret_number)
{
    unsigned number = 0, digits = 0;

    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, digits++)
        number = digits < DIGITS_MAX ? number * 10 + (unsigned)(**at - '0') : number;
    *ret_number = number;
    return digits > 0;
}

bool holding_read_line(const char *text, size_t size, struct holding_line *ret_line)
{
    static const char word[] = "held ";
    const char *name = text + strlen(word), *end = text + size, *blank;

    if (size <= strlen(word) || memcmp(text, word, strlen(word)) != 0)
        return false;
    blank = memchr(name, ' ', (size_t)(end - name));
    if (!blank || blank == name || blank - name >= LATENCY_NAME_SIZE)
        return false;
    memcpy(ret_line->backend, name, (size_t)(blank - name));
    ret_line->backend[blank - name] = '\0';
    blank++;
    if (!read_number(&blank, end, &ret_line->count) || blank >= end || *blank++ != ' ' ||
        !read_number(&blank, end, &ret_line->thread))
        return false;
    return ret_line->thread < HOLDING_THREADS_MAX;
}

void holding_note(struct holding_count *count, const struct holding_line *line, int64_t now_ms)
{
    count->counts[line->thread] = line->count;
    count->told_ms[line->thread] = now_ms;
}

unsigned holding_sum(const struct holding_count *count, int64_t now_ms)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < HOLDING_THREADS_MAX; i++)
        if (now_ms - count->told_ms[i] <= HOLDING_FRESH_MS)
            sum += count->counts[i];
    return sum;
}
