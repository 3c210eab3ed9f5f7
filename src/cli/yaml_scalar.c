/* cli/yaml_scalar.c - see yaml_scalar.h; https://yaml.org/spec/1.2.2/#1032-tag-resolution */
#include "cli/yaml_scalar.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (str_equal(text, *words))
            return true;
    return false;
}

static const char *skip_digits(const char *at) { return at + strspn(at, "0123456789"); }

static const char *skip_sign(const char *at) { return *at == '-' || *at == '+' ? at + 1 : at; }

/* [-+]?[0-9]+ and 0o[0-7]+ and 0x[0-9a-fA-F]+; 0 when it is none, else the base. */
static int integer_base(const char *text)
{
    const char *digits = skip_sign(text);

    if (str_starts(text, "0o") && text[2] && !text[2 + strspn(text + 2, "01234567")])
        return 8;
    if (str_starts(text, "0x") && text[2] &&
        !text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
        return 16;
    return *digits && !*skip_digits(digits) ? 10 : 0;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_real(const char *text)
{
    const char *at = skip_sign(text), *whole = at;

    at = skip_digits(at);
    if (*at == '.') {
        const char *part = at + 1;

        at = skip_digits(part);
        if (part - 1 == whole && at == part)
            return false;
    } else if (at == whole) {
        return false;
    }
    if (*at == 'e' || *at == 'E') {
        const char *power = skip_sign(at + 1);

        at = skip_digits(power);
        if (at == power)
            return false;
    }
    return !*at;
}

static json_t *integer(const char *text, int base, const char **ret_why)
{
    long long value;

    errno = 0;
    value = strtoll(base == 10 ? text : text + 2, NULL, base);
    if (!errno)
        return json_integer(value);
    *ret_why = "an integer does not fit into 64 bits";
    return NULL;
}

json_t *yaml_plain_scalar(const char *text, const char **ret_why)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    static const char *const beyond[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL };
    int base;
    double real;

    if (is_one_of(text, nulls))
        return json_null();
    if (is_one_of(text, trues) || is_one_of(text, falses))
        return json_boolean(is_one_of(text, trues));
    if ((base = integer_base(text)) != 0)
        return integer(text, base, ret_why);
    if (is_real(text)) {
        real = strtod(text, NULL);
        *ret_why = "a number is too large";
        return isfinite(real) ? json_real(real) : NULL;
    }
    if (is_one_of(skip_sign(text), beyond)) {
        *ret_why = "infinity and not-a-number are no JSON values";
        return NULL;
    }
    return json_string(text);
}
