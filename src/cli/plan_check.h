/* cli/plan_check.h - what objects of one plan must not share. The server refuses the second of them, but
 * only when the first is there. Pure. */
#pragma once
#include "cli/plan.h"

/* ERR_INVALID names both documents. */
int plan_check(const struct plan *plan, struct err *err);
