/* cli/ports.h - "8080:80": a port here and one in the guest. Pure. */
#pragma once
#include "base/err.h"

struct port_pair {
    unsigned local; /* 0: any free one */
    unsigned remote;
};

/* 0 to 65535. */
int port_parse(const char *text, unsigned *ret_port, struct err *err);
/* "80" is "80:80", ":80" is "0:80". */
int port_pair_parse(const char *text, struct port_pair *ret_pair, struct err *err);
