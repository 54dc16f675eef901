-- generate_tables
-- The tables that rows are made for: those with these OIDs, or all of an application's own. (14+)
-- $1: OIDs, or NULL for all; partitions are filled through the table at their top.
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relispartition AS is_partition,
       c.relrowsecurity AND NOT (SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = current_user)
         AS has_row_security
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE CASE WHEN $1::oid[] IS NULL
            THEN c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
                 AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
                 AND NOT EXISTS (SELECT FROM pg_depend d
                                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
            ELSE c.oid = ANY ($1) END
 ORDER BY n.nspname, c.relname
