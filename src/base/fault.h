/* base/fault.h - named points where tests make the daemon die or a call fail.
 *
 * VIRGA_FAULT="name=kill@3,other=fail@2" kills the process with SIGKILL at the
 * third passing of 'name' and fails the second call of 'other'. With the variable
 * unset a point costs one load and one branch. */
#pragma once
#include "err.h"

/* Reads VIRGA_FAULT; call once at start. ERR_BAD_REQUEST on a malformed value. */
int fault_init(const char *setting, struct err *err);

/* A point passed. May not return. */
void fault_point(const char *name);

/* 0, or -1 with ERR_IO "injected fault at NAME" when this call is to fail. */
int fault_fails(const char *name, struct err *err);

/* For simulations: fail the 'nth' fallible call from now on whatever its name (0: off). */
void fault_fail_nth(unsigned nth);
unsigned fault_calls_seen(void); /* since the last fault_fail_nth() */
