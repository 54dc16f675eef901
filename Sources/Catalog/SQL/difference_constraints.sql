-- Which constraints do tables and domains have? Those that partitions inherit from a foreign key, and NOT NULL, left out. (14+)
SELECT 'pg_constraint'::regclass AS catalog, k.oid, format('pg_class %I.%I', n.nspname, c.relname) AS parent,
       'constraint' AS kind,
       format('%I on %I.%I', k.conname, n.nspname, c.relname) AS name,
       jsonb_build_object('definition', pg_get_constraintdef(k.oid),
                          'inherited only', CASE WHEN k.contype = 'c' AND NOT k.conislocal AND NOT c.relispartition THEN 'yes' END) AS properties
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND NOT (k.contype = 'f' AND k.conparentid <> 0)
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'pg_constraint'::regclass, k.oid, format('pg_type %I.%I', n.nspname, t.typname), 'domain constraint',
       format('%I on %I.%I', k.conname, n.nspname, t.typname),
       jsonb_build_object('definition', pg_get_constraintdef(k.oid))
  FROM pg_constraint k
  JOIN pg_type t ON t.oid = k.contypid
  JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE k.contype = 'c'
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
