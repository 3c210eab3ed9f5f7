/* cli/revisions.h - the templates that a group has had. Pure. */
#pragma once
#include "base/json.h"

/* Of revision 'wanted', or for 0 the one before spec.template. Borrowed; NULL: it is not kept. */
const json_t *revisions_template(const json_t *group, int64_t wanted);
