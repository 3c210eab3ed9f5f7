/* api/computed.h - resources whose items are made anew at every GET. */
#pragma once
#include "api/request.h"
#include "api/selection.h"

void computed_get(struct request *request, enum accept_form form);
void computed_list(struct request *request, enum accept_form form,
                   const struct selection *selection);
