-- Which sequences are there, what is each one, and where does it stand? (14+)
SELECT 'pg_class'::regclass AS catalog, c.oid,
       CASE WHEN d.deptype = 'i' THEN 'pg_class ' || format('%I.%I', on_.nspname, o.relname) END AS parent,
       'sequence' AS kind,
       format('%I.%I', n.nspname, c.relname) AS name,
       jsonb_build_object(
         'type', format_type(s.seqtypid, NULL),
         'start', s.seqstart::text, 'increment', s.seqincrement::text, 'minimum', s.seqmin::text, 'maximum', s.seqmax::text,
         'cache', s.seqcache::text, 'cycle', CASE WHEN s.seqcycle THEN 'yes' END,
         -- PostgreSQL 15 was the first to have unlogged ones; those of unlogged tables are.
         'persistence', CASE WHEN c.relpersistence = 'u'
                              AND coalesce(nullif(current_setting('martlet.least_version', true), ''), current_setting('server_version_num'))::int >= 150000
                             THEN 'unlogged' END,
         CASE d.deptype WHEN 'i' THEN 'identity of' ELSE 'owned by' END, CASE WHEN a.attname IS NOT NULL THEN format('%I.%I.%I', on_.nspname, o.relname, a.attname) END,
         -- The greater, the further, also when it counts down; unlike all else it is no definition.
         'position', CASE WHEN has_sequence_privilege(c.oid, 'USAGE, SELECT')
                          THEN (sign(s.seqincrement) * coalesce(pg_sequence_last_value(c.oid), s.seqstart - s.seqincrement))::text END) AS properties
  FROM pg_sequence s
  JOIN pg_class c ON c.oid = s.seqrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_class o ON o.oid = d.refobjid
  LEFT JOIN pg_namespace on_ ON on_.oid = o.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
