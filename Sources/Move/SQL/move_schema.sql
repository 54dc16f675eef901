-- Puts what a move made in schema martlet.from into schema martlet.to (settings of the transaction). (14+)
DO $martlet$
DECLARE
    old name := current_setting('martlet.from');
    new name := current_setting('martlet.to');
    item record;
BEGIN
    FOR item IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                              WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind, c.relname AS name
          FROM pg_class c
         WHERE c.relnamespace = old::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
           -- The sequence of a column goes with its table.
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                              AND (d.deptype = 'e' OR d.deptype IN ('a', 'i') AND c.relkind = 'S' AND d.refobjsubid > 0))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_class'::regclass AND b.oid = c.oid)
    LOOP
        EXECUTE format('ALTER %s %I.%I SET SCHEMA %I', item.kind, old, item.name, new);
    END LOOP;
    FOR item IN
        SELECT p.oid::regprocedure AS signature, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS kind
          FROM pg_proc p
         WHERE p.pronamespace = old::regnamespace
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_proc'::regclass AND b.oid = p.oid)
    LOOP
        EXECUTE format('ALTER %s %s SET SCHEMA %I', item.kind, item.signature, new);
    END LOOP;
    FOR item IN
        SELECT t.typname AS name, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS kind
          FROM pg_type t
         WHERE t.typnamespace = old::regnamespace AND t.typtype IN ('e', 'd', 'r')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype IN ('e', 'i'))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_type'::regclass AND b.oid = t.oid)
    LOOP
        EXECUTE format('ALTER %s %I.%I SET SCHEMA %I', item.kind, old, item.name, new);
    END LOOP;
    FOR item IN
        SELECT s.stxname AS name FROM pg_statistic_ext s WHERE s.stxnamespace = old::regnamespace
    LOOP
        EXECUTE format('ALTER STATISTICS %I.%I SET SCHEMA %I', old, item.name, new);
    END LOOP;
END
$martlet$
