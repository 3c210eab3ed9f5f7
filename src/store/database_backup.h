/* store/database_backup.h - a copy of the database beside it, made a little at a time
 * between commits, so that writes never wait long. What is committed meanwhile
 * goes into the copy too: when it is complete it is as of that moment.
 *
 * Belongs to the thread that commits. */
#pragma once
#include "store/database.h"

struct database_backup;

/* Begins "virga.db.backup.new"; one that was left unfinished is replaced. NULL on error. */
struct database_backup *database_backup_new(struct database *database, struct err *err);
void database_backup_free(
    struct database_backup *backup); /* NULL is fine; removes what is unfinished */

/* Copies some more. When it sets '*ret_complete' the copy is on the disk under its name,
 * "virga.db.backup". After an error there is nothing to do but to free it. */
int database_backup_step(struct database_backup *backup, bool *ret_complete, struct err *err);

/* When the last complete backup was made (wall clock); 0: there is none. */
int64_t database_backup_time_ms(const struct database *database);
