#include <libpq-fe.h>

// Character-constant macros are not imported into Swift.
static const int martlet_diag_sqlstate = PG_DIAG_SQLSTATE;
static const int martlet_diag_message = PG_DIAG_MESSAGE_PRIMARY;
static const int martlet_diag_detail = PG_DIAG_MESSAGE_DETAIL;
static const int martlet_diag_hint = PG_DIAG_MESSAGE_HINT;
static const int martlet_diag_position = PG_DIAG_STATEMENT_POSITION;
static const int martlet_diag_context = PG_DIAG_CONTEXT;
static const int martlet_diag_schema = PG_DIAG_SCHEMA_NAME;
static const int martlet_diag_table = PG_DIAG_TABLE_NAME;
static const int martlet_diag_column = PG_DIAG_COLUMN_NAME;
static const int martlet_diag_constraint = PG_DIAG_CONSTRAINT_NAME;
