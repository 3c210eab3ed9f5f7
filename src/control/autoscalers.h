/* control/autoscalers.h - what other controllers ask about Autoscalers, and tell them. */
#pragma once
#include "control/control.h"

/* Does it take the last member away when there is no traffic? Then balancers before its group hold
 * requests while there is no member. */
bool autoscaler_may_sleep(const json_t *autoscaler);

/* A balancer holds a request for this group: if it has no member it is decided about now, and not
 * with the next second. */
void autoscaler_wake(struct control *control, const char *namespace_name, const char *group);
