/* api/connect.h - streams and actions on one object, which the daemon binds (api.h). */
#pragma once
#include "api/request.h"

struct api_call {
    struct request *request; /* NULL: the client is gone, or the server has stopped */
    json_t *object;
    json_t *body; /* or NULL */
};

/* The verb that a connect needs for the request's method; NULL when it does not serve it. */
const char *connect_verb(const struct request *request);
/* Its HTTP methods, and the verbs they need, as JSON lists of texts. Owned. */
json_t *connect_methods(const struct connect *connect);
json_t *connect_verbs(const struct connect *connect);

void connect_run(struct request *request);

/* Ends a call: forgets the request's hold on it and frees it. */
void call_free(struct api_call *call);
