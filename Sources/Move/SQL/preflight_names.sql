-- Which tablespaces and built-in collations does this server know? (14+)
SELECT 'tablespace' AS kind, spcname AS name FROM pg_tablespace
UNION ALL
SELECT 'closed tablespace', spcname FROM pg_tablespace WHERE NOT has_tablespace_privilege(oid, 'CREATE')
UNION ALL
SELECT 'collation', collname FROM pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace
