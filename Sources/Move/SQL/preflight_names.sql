-- Which tablespaces and built-in collations does this server know? (14+)
SELECT 'tablespace' AS kind, spcname AS name FROM pg_tablespace
UNION ALL
SELECT 'collation', collname FROM pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace
