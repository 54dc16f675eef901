-- recorder
-- Notes who drops what in a database. PostgreSQL 14 or later; only a superuser can make an event trigger.
CREATE SCHEMA martlet_recorder;
REVOKE ALL ON SCHEMA martlet_recorder FROM PUBLIC;
COMMENT ON SCHEMA martlet_recorder IS 'what was dropped, and by whom; martlet restore recorder off removes it';
CREATE TABLE martlet_recorder.drops (
    at timestamptz NOT NULL,
    transaction xid8 NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    role name NOT NULL,
    application text NOT NULL,
    client inet,
    statement text
);
CREATE INDEX ON martlet_recorder.drops (transaction);
CREATE FUNCTION martlet_recorder.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO martlet_recorder.drops
    SELECT clock_timestamp(), pg_current_xact_id(), o.object_type, o.object_identity, session_user,
           current_setting('application_name'), inet_client_addr(), left(current_query(), 10000)
      FROM pg_event_trigger_dropped_objects() AS o
     WHERE NOT o.is_temporary
       AND o.object_type IN ('table', 'partitioned table', 'foreign table', 'view', 'materialized view', 'sequence', 'schema');
EXCEPTION WHEN others THEN
    -- A note that cannot be taken keeps nobody from his work.
    NULL;
END
$$;
REVOKE ALL ON FUNCTION martlet_recorder.note() FROM PUBLIC;
CREATE EVENT TRIGGER martlet_recorder ON sql_drop EXECUTE FUNCTION martlet_recorder.note();
