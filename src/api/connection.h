/* api/connection.h - one connection of a client, from its start to its end. */
#pragma once
#include <microhttpd.h>

struct connection;
struct deadline;
struct err;

struct connection *connection_of(struct MHD_Connection *mhd);
/* Answers by hand where libmicrohttpd cannot (in the middle of a body), and cuts the connection. */
void connection_refuse(struct connection *connection, const struct err *err);
void connection_cut(struct connection *connection);
/* Resumes a suspended connection and has it served. */
void connection_resume(struct connection *connection);

/* libmicrohttpd's callback at start and end; its deadline is over. */
void connection_changed(void *arg, struct MHD_Connection *mhd, void **state,
                        enum MHD_ConnectionNotificationCode what);
void connection_expired(struct deadline *deadline);
