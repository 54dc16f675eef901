-- Removes what a move brought into the user schemas; what was there before stays, and so do extensions. (14+)
DO $martlet$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT n.nspname FROM pg_namespace n
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public', 'martlet')
           AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
                            WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid)
           AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid)
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_namespace'::regclass AND b.oid = n.oid)
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', item.nspname);
    END LOOP;
    FOR item IN
        SELECT c.relname, n.nspname,
               CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                              WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
           AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND NOT c.relispartition
           -- A partitioned table and a composite type depend internally on parts of themselves; an identity's sequence on its table.
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                              AND (d.deptype = 'e' OR d.deptype = 'i' AND c.relkind = 'S'))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_class'::regclass AND b.oid = c.oid)
         ORDER BY c.relkind IN ('S', 'c')
    LOOP
        EXECUTE format('DROP %s IF EXISTS %I.%I CASCADE', item.kind, item.nspname, item.relname);
    END LOOP;
    FOR item IN
        SELECT p.oid::regprocedure AS signature, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS kind
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_proc'::regclass AND b.oid = p.oid)
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', item.kind, item.signature);
    END LOOP;
    FOR item IN
        SELECT n.nspname, t.typname, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS kind
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
           AND t.typtype IN ('e', 'd', 'r') AND t.typelem = 0
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype IN ('e', 'i'))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_type'::regclass AND b.oid = t.oid)
    LOOP
        EXECUTE format('DROP %s IF EXISTS %I.%I CASCADE', item.kind, item.nspname, item.typname);
    END LOOP;
END
$martlet$
