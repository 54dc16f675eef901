-- Which extended statistics are there? (14+)
SELECT 'pg_statistic_ext'::regclass AS catalog, s.oid, format('pg_class %I.%I', tn.nspname, c.relname) AS parent,
       'statistics object' AS kind,
       format('%I.%I', n.nspname, s.stxname) AS name,
       jsonb_build_object('definition', pg_get_statisticsobjdef(s.oid), 'target', nullif(s.stxstattarget, -1)::text) AS properties
  FROM pg_statistic_ext s
  JOIN pg_namespace n ON n.oid = s.stxnamespace
  JOIN pg_class c ON c.oid = s.stxrelid
  JOIN pg_namespace tn ON tn.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_statistic_ext'::regclass AND e.objid = s.oid AND e.deptype = 'e')
