-- Which indexes are there, and what is each one? (14+)
SELECT 'pg_class'::regclass AS catalog, x.oid, format('pg_class %I.%I', n.nspname, c.relname) AS parent, 'index' AS kind,
       format('%I.%I', n.nspname, x.relname) AS name,
       jsonb_build_object(
         'definition', pg_get_indexdef(x.oid),
         'valid', CASE WHEN NOT i.indisvalid THEN 'no' END,
         'cluster', CASE WHEN i.indisclustered THEN 'yes' END,
         'tablespace', (SELECT s.spcname FROM pg_tablespace s WHERE s.oid = x.reltablespace),
         'part of', (SELECT p.inhparent::regclass::text FROM pg_inherits p WHERE p.inhrelid = x.oid),
         'statistics', (SELECT string_agg(format('%s: %s', a.attnum, a.attstattarget), ', ' ORDER BY a.attnum)
                          FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attnum > 0 AND a.attstattarget >= 0)) AS properties
  FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
