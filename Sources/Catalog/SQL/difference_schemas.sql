-- Which schemas are there? (14+)
SELECT 'pg_namespace'::regclass AS catalog, n.oid, NULL::text AS parent, 'schema' AS kind, quote_ident(n.nspname) AS name,
       '{}'::jsonb AS properties
  FROM pg_namespace n
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')
