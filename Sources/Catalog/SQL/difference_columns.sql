-- Which columns has every relation and composite type, and what is each one? (14+)
SELECT 'pg_class'::regclass AS catalog, c.oid, format('pg_class %I.%I', n.nspname, c.relname) AS parent, 'column' AS kind,
       format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name,
       jsonb_build_object(
         -- Dropped columns are gone on a new server, so places are counted without them.
         'position', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum)::text,
         'type', format_type(a.atttypid, a.atttypmod),
         'not null', CASE WHEN a.attnotnull THEN 'yes' END,
         -- Before PostgreSQL 18 it has no name.
         'not null constraint',
         (SELECT format('%I %s', k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k
           WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
             AND coalesce(nullif(current_setting('martlet.least_version', true), ''), current_setting('server_version_num'))::int >= 180000),
         'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
         'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid)
                           || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END END,
         'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
         'collation', (SELECT format('%I.%I', ln.nspname, l.collname)
                         FROM pg_collation l JOIN pg_namespace ln ON ln.oid = l.collnamespace
                        WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation),
         'storage', CASE WHEN a.attstorage <> t.typstorage
                         THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
         'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
         'statistics', nullif(a.attstattarget, -1)::text,
         -- In pg_attver minor releases of November 2026 keep a number of the server's own, which pg_dump leaves out, too.
         'options', (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(a.attoptions) AS o WHERE o !~ '^pg_attver='),
         'server options', (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(a.attfdwoptions) AS o),
         'inherited only', CASE WHEN NOT a.attislocal AND NOT c.relispartition THEN 'yes' END) AS properties
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
   -- A composite type of an extension is a member by its row in pg_type.
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = c.reltype AND e.deptype = 'e')
