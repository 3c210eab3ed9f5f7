/* base/quantity.c - Kubernetes quantities, exactly: 20 significant digits times a power
 * of two fit 128 bits, so nothing is rounded but the result. */
#include "base/quantity.h"
#include <stdio.h>
#include <string.h>

enum { DIGITS_MAX = 20, EXPONENT_MAX = 9999, POWER_OF_TEN_MAX = 38 };

__extension__ typedef unsigned __int128 wide_int;

/* digits * 10^ten * 2^two */
struct number {
    bool is_negative;
    wide_int digits;
    int ten;
    int two;
};

static const struct suffix {
    char text[3];
    int8_t ten;
    int8_t two;
} suffixes[] = {
    { "", 0, 0 },    { "n", -9, 0 },  { "u", -6, 0 },  { "m", -3, 0 },
    { "k", 3, 0 },   { "M", 6, 0 },   { "G", 9, 0 },   { "T", 12, 0 },
    { "P", 15, 0 },  { "E", 18, 0 },  { "Ki", 0, 10 }, { "Mi", 0, 20 },
    { "Gi", 0, 30 }, { "Ti", 0, 40 }, { "Pi", 0, 50 }, { "Ei", 0, 60 },
};

static const char *const byte_suffixes[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Takes in one digit; zeros wait in '*zeros' until a digit after them gives them a meaning.
 * False when there are more significant digits than DIGITS_MAX. */
static bool take_digit(struct number *number, int digit, int *used, int *zeros)
{
    if (digit == 0 && *used > 0) {
        (*zeros)++;
    } else if (digit != 0) {
        if (*used + *zeros + 1 > DIGITS_MAX)
            return false;
        for (; *zeros > 0; --*zeros, ++*used)
            number->digits *= 10;
        number->digits = number->digits * 10 + (unsigned)digit;
        ++*used;
    }
    return true;
}

/* Reads "12.50" at '*at'. */
static int read_digits(const char **at, struct number *number, const char *text, struct err *err)
{
    int used = 0;
    int zeros = 0;
    int fraction = 0;
    int seen = 0;
    bool in_fraction = false;

    for (; is_digit(**at) || (**at == '.' && !in_fraction); ++*at) {
        if (**at == '.') {
            in_fraction = true;
            continue;
        }
        seen++;
        fraction += in_fraction;
        if (!take_digit(number, **at - '0', &used, &zeros))
            return err_set(err, ERR_INVALID, "\"%.40s\" has more than %d significant digits", text,
                           DIGITS_MAX);
    }
    if (!seen)
        return err_set(err, ERR_INVALID,
                       "\"%.40s\" is not a quantity, a number such as 2Gi, 500m or 1.5", text);
    number->ten = zeros - fraction;
    return 0;
}

/* Reads "e3", "E-3"; false when no exponent stands at 'at'. Beyond EXPONENT_MAX the
 * result is out of range or nothing anyway. */
static bool read_exponent(const char *at, struct number *number)
{
    int exponent = 0;
    bool is_negative;

    if (*at != 'e' && *at != 'E')
        return false;
    at++;
    is_negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    if (!is_digit(*at))
        return false;
    for (; is_digit(*at); at++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (*at - '0');
    number->ten += is_negative ? -exponent : exponent;
    return *at == '\0';
}

static int read_suffix(const char *at, struct number *number, const char *text, struct err *err)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (strcmp(at, suffixes[i].text) != 0)
            continue;
        number->ten += suffixes[i].ten;
        number->two = suffixes[i].two;
        return 0;
    }
    if (read_exponent(at, number))
        return 0;
    return err_set(
        err, ERR_INVALID,
        "\"%.40s\" is not a quantity: a number may be followed by one of n u m k M G T P "
        "E Ki Mi Gi Ti Pi Ei, as in 2Gi or 500m",
        text);
}

static int read_number(const char *text, struct number *number, struct err *err)
{
    const char *at = text;

    number->is_negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    if (read_digits(&at, number, text, err) < 0)
        return -1;
    return read_suffix(at, number, text, err);
}

/* Divides by 10^'places', away from zero, as Kubernetes rounds. */
static wide_int divide_up(wide_int value, int places)
{
    wide_int divisor = 1;

    if (places > POWER_OF_TEN_MAX)
        return value ? 1 : 0;
    for (int i = 0; i < places; i++)
        divisor *= 10;
    return value / divisor + (value % divisor ? 1 : 0);
}

/* False when the result leaves int64. */
static bool scale(const struct number *number, int64_t *ret_value)
{
    wide_int limit = (wide_int)INT64_MAX + number->is_negative;
    wide_int value = number->digits << number->two;

    for (int i = 0; i < number->ten && value; i++) {
        if (value > limit)
            return false;
        value *= 10;
    }
    if (number->ten < 0)
        value = divide_up(value, -number->ten);
    if (value > limit)
        return false;
    *ret_value = number->is_negative ? (int64_t)(0 - (uint64_t)value) : (int64_t)value;
    return true;
}

static int parse_scaled(const char *text, int more_ten, int64_t *ret_value, struct err *err)
{
    struct number number = { 0 };

    if (read_number(text, &number, err) < 0)
        return -1;
    number.ten += more_ten;
    if (!scale(&number, ret_value))
        return err_set(err, ERR_INVALID, "\"%.40s\" is out of range: at most %s", text,
                       more_ten ? "9223372036854775807m" : "9223372036854775807, just below 8Ei");
    return 0;
}

int quantity_parse(const char *text, int64_t *ret_value, struct err *err)
{
    return parse_scaled(text, 0, ret_value, err);
}

int quantity_parse_milli(const char *text, int64_t *ret_milli, struct err *err)
{
    return parse_scaled(text, 3, ret_milli, err);
}

void quantity_format_bytes(int64_t bytes, char *to, size_t size)
{
    unsigned power = 0;

    while (bytes != 0 && bytes % 1024 == 0 && power < 6) {
        bytes /= 1024;
        power++;
    }
    snprintf(to, size, "%lld%s", (long long)bytes, byte_suffixes[power]);
}

/* Writes 'hundredths' with three digits at most and no zero at the end of a fraction. */
static void format_three_digits(unsigned hundredths, const char *sign, const char *suffix, char *to,
                                size_t size)
{
    unsigned whole = hundredths / 100;
    unsigned rest = hundredths % 100;

    if (rest == 0)
        snprintf(to, size, "%s%u%s", sign, whole, suffix);
    else if (rest % 10 == 0)
        snprintf(to, size, "%s%u.%u%s", sign, whole, rest / 10, suffix);
    else
        snprintf(to, size, "%s%u.%02u%s", sign, whole, rest, suffix);
}

/* Rounds to three digits in the unit of 1024^power; at 1000 and more the next unit is due. */
static unsigned hundredths_of(uint64_t bytes, unsigned power)
{
    wide_int unit = (wide_int)1 << (10 * power);
    wide_int hundredths = ((wide_int)bytes * 100 + unit / 2) / unit;

    if (hundredths >= 100000)
        return 100000;
    if (hundredths >= 10000)
        return (unsigned)((((wide_int)bytes + unit / 2) / unit) * 100);
    if (hundredths >= 1000)
        return (unsigned)((((wide_int)bytes * 10 + unit / 2) / unit) * 10);
    return (unsigned)hundredths;
}

void quantity_format_human(int64_t bytes, char *to, size_t size)
{
    const char *sign = bytes < 0 ? "-" : "";
    uint64_t magnitude = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
    unsigned power = 0;

    while (power < 6 && hundredths_of(magnitude, power) >= 100000)
        power++;
    format_three_digits(hundredths_of(magnitude, power), sign, byte_suffixes[power], to, size);
}

void quantity_format_milli(int64_t milli, char *to, size_t size)
{
    if (milli % 1000 == 0)
        snprintf(to, size, "%lld", (long long)(milli / 1000));
    else
        snprintf(to, size, "%lldm", (long long)milli);
}
