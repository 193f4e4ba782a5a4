#ifndef CPOSTGRES_SHIM_H
#define CPOSTGRES_SHIM_H

#include <libpq-fe.h>
#include <stddef.h>

// PG_DIAG_* are character macros, which the importer does not see.
static inline int cpostgres_diag_severity(void) { return PG_DIAG_SEVERITY_NONLOCALIZED; }
static inline int cpostgres_diag_sqlstate(void) { return PG_DIAG_SQLSTATE; }
static inline int cpostgres_diag_message(void) { return PG_DIAG_MESSAGE_PRIMARY; }
static inline int cpostgres_diag_constraint(void) { return PG_DIAG_CONSTRAINT_NAME; }

// libpq prints notices on stderr unless told otherwise.
static void cpostgres_drop_notice(void *argument, const PGresult *notice) {
  (void)argument;
  (void)notice;
}
static inline void cpostgres_silence_notices(PGconn *connection) {
  PQsetNoticeReceiver(connection, cpostgres_drop_notice, NULL);
}

#endif
