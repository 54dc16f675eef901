-- The function of the triggers that refuse writes on the server that an application has left. (14+)
CREATE OR REPLACE FUNCTION martlet.fence() RETURNS trigger LANGUAGE plpgsql AS $martlet$
BEGIN
    -- The way back of martlet itself. This keeps out whoever does not know, not whoever wants to get in.
    IF pg_catalog.current_setting('martlet.passes', true) OPERATOR(pg_catalog.=) 'yes' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'cannot write to table "%.%": martlet has stopped writes to this database', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'read_only_sql_transaction',
              HINT = 'martlet status tells which server is open; until a cutover or a rollback has said so, it may be this one again.';
END
$martlet$;
-- To fire a trigger takes no right to its function.
REVOKE ALL ON FUNCTION martlet.fence() FROM PUBLIC
