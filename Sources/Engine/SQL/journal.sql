-- The journal of one migration, in schema martlet of the database that is moved to. (14+)
-- What was in the database before: an abort leaves it alone.
CREATE TABLE martlet.before AS
SELECT 'pg_namespace'::regclass AS catalog, oid FROM pg_namespace WHERE nspname <> 'martlet'
UNION ALL SELECT 'pg_class'::regclass, oid FROM pg_class WHERE oid >= 16384
UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE oid >= 16384
UNION ALL SELECT 'pg_default_acl'::regclass, oid FROM pg_default_acl
UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication
UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass WHERE oid >= 16384
UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily WHERE oid >= 16384
UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oid >= 16384
UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast WHERE oid >= 16384
UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE oid >= 16384
UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion WHERE oid >= 16384
UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE oid >= 16384
UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE oid >= 16384
UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template WHERE oid >= 16384
UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser WHERE oid >= 16384
UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am WHERE oid >= 16384
UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language WHERE oid >= 16384
UNION ALL SELECT 'pg_largeobject_metadata'::regclass, oid FROM pg_largeobject_metadata;

-- What is being moved, and in which phase the move is. One row.
CREATE TABLE martlet.migration (
    id              text PRIMARY KEY,
    phase           text NOT NULL,
    source          text NOT NULL,
    source_system   text NOT NULL,
    source_database text NOT NULL,
    plan            jsonb NOT NULL,
    slot_start      pg_lsn,
    has_schema      boolean NOT NULL DEFAULT false,
    rest_of_schema  text,
    has_constraints boolean NOT NULL DEFAULT false,
    -- The transactions of either server since which large objects may have been changed there, after a cutover.
    source_objects  bigint,
    target_objects  bigint,
    -- Since when martlet pause has it hold, over every restart.
    paused          timestamptz,
    started         timestamptz NOT NULL DEFAULT now(),
    changed         timestamptz NOT NULL DEFAULT now()
);

-- Everything that martlet makes or changes on either server, written down before it is done.
CREATE TABLE martlet.object (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    side    text NOT NULL CHECK (side IN ('source', 'target')),
    kind    text NOT NULL,
    name    text NOT NULL,
    undo    text NOT NULL,
    noted   timestamptz NOT NULL DEFAULT now(),
    removed timestamptz,
    UNIQUE (side, kind, name)
);

-- The tables that are moved, and how far the load of each one is.
CREATE TABLE martlet.table_load (
    schema     text NOT NULL,
    name       text NOT NULL,
    source_oid oid NOT NULL,
    unit       oid NOT NULL,
    lane       int NOT NULL,
    bytes      bigint NOT NULL,
    state      text NOT NULL DEFAULT 'waiting',
    watermark  pg_lsn,
    -- Whether a TRUNCATE in the transaction at the watermark emptied it while it was copied.
    is_truncated bool NOT NULL DEFAULT false,
    is_rewritten bool NOT NULL DEFAULT false,
    rows_done  bigint NOT NULL DEFAULT 0,
    bytes_done bigint NOT NULL DEFAULT 0,
    started    timestamptz,
    finished   timestamptz,
    PRIMARY KEY (schema, name)
);

-- How far each lane of a stream has applied; moves in the same transaction as the rows.
-- A table that stands still while its lane goes on has a row of its own: its OID on the server that is followed, and why.
CREATE TABLE martlet.position (
    stream  text NOT NULL,
    lane    int NOT NULL,
    unit    oid NOT NULL DEFAULT 0,
    lsn     pg_lsn NOT NULL,
    failure jsonb,
    PRIMARY KEY (stream, lane, unit)
) WITH (fillfactor = 10);

-- What other terminals ask the running martlet to do.
CREATE TABLE martlet.request (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text NOT NULL,
    arguments jsonb NOT NULL DEFAULT '{}',
    state     text NOT NULL DEFAULT 'asked',
    answer    jsonb,
    -- The session of the terminal that waits for the answer; what nobody waits for any more is not begun.
    asker     int DEFAULT pg_backend_pid(),
    asked     timestamptz NOT NULL DEFAULT now(),
    answered  timestamptz
);

-- Who runs the migration, and since when nobody has heard of it.
CREATE TABLE martlet.lease (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    host     text NOT NULL,
    pid      int NOT NULL,
    -- The process, whatever its number, and the number of its run: see Lease.
    instance text NOT NULL,
    run      int NOT NULL,
    started  timestamptz NOT NULL DEFAULT now(),
    beat     timestamptz NOT NULL DEFAULT now()
);

-- What martlet status shows; replaced once a second.
CREATE TABLE martlet.status (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at       timestamptz NOT NULL DEFAULT now(),
    report   jsonb NOT NULL
) WITH (fillfactor = 10);

-- What happened, for people.
CREATE TABLE martlet.event (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    text text NOT NULL
);

-- What comparisons found.
CREATE TABLE martlet.verdict (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    lsn      pg_lsn,
    is_equal boolean NOT NULL,
    report   jsonb NOT NULL
);

-- The load that martlets on other machines may join; one row, see 0008-workers.md. The run is that of the lease.
CREATE TABLE martlet.load (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    run         int NOT NULL,
    form        int NOT NULL,
    snapshot    text,
    encoding    text NOT NULL,
    settings    text NOT NULL,
    source_role text NOT NULL,
    target_role text NOT NULL,
    opened      timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed      timestamptz
);

-- The martlets that have joined a load from other machines, and when each was heard of last, by this server's clock.
CREATE TABLE martlet.worker (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run           int NOT NULL,
    host          text NOT NULL,
    pid           int NOT NULL,
    sessions      int NOT NULL,
    -- The session of its heartbeat.
    backend       int NOT NULL DEFAULT pg_backend_pid(),
    -- Per piece that it copies: the rows and bytes so far.
    progress      jsonb NOT NULL DEFAULT '{}',
    -- What it is told: its share of the rate in bytes a second, and whether it holds, as the one that leads the load does.
    rate          bigint,
    is_held       boolean NOT NULL DEFAULT false,
    joined        timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat          timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended         timestamptz
) WITH (fillfactor = 10);

-- What the sessions of workers ask for, are given, and have done: a part of a table, or an index. A piece that is given
-- out again is a new row, so that a row is a claim. "done" commits with the rows. No worker is the one that leads the load.
CREATE TABLE martlet.piece (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run            int NOT NULL,
    worker         bigint,
    session        int,
    backend        int,
    backend_start  text,
    source_backend int,
    source_start   text,
    state          text NOT NULL
                   CHECK (state IN ('asked', 'given', 'done', 'failed', 'returned', 'withdrawn')),
    kind           text CHECK (kind IN ('copy', 'index')),
    schema         text,
    name           text,
    part           int,
    parts          int,
    work           jsonb,
    rows           bigint,
    bytes          bigint,
    failure        jsonb,
    asked          timestamptz NOT NULL DEFAULT clock_timestamp(),
    given          timestamptz,
    ended          timestamptz
);
CREATE INDEX ON martlet.piece (worker) WHERE state IN ('asked', 'given');
-- No part comes into the target twice.
CREATE UNIQUE INDEX ON martlet.piece (run, schema, name, part) WHERE state = 'done' AND kind = 'copy';
