-- Which tables, views, materialized views and foreign tables are there, and what is each one as a whole? (14+)
SELECT 'pg_class'::regclass AS catalog, c.oid, NULL::text AS parent,
       CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
       format('%I.%I', n.nspname, c.relname) AS name,
       jsonb_build_object(
         'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
         'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
         'populated', CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'no' END,
         'options', (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(c.reloptions) AS o),
         'TOAST options', (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
                             FROM pg_class t CROSS JOIN unnest(t.reloptions) AS o WHERE t.oid = c.reltoastrelid),
         'row security', CASE WHEN c.relrowsecurity THEN 'enabled' END,
         'forced row security', CASE WHEN c.relforcerowsecurity THEN 'yes' END,
         'replica identity',
         CASE WHEN c.relkind NOT IN ('r', 'p', 'm') THEN NULL
              WHEN c.relreplident = 'n' THEN 'NOTHING'
              WHEN c.relreplident = 'f' THEN 'FULL'
              WHEN c.relreplident = 'i'
              THEN coalesce((SELECT 'USING INDEX ' || quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                              WHERE i.indrelid = c.oid AND i.indisreplident), 'NOTHING') END,
         'access method', nullif((SELECT a.amname FROM pg_am a WHERE a.oid = c.relam), 'heap'),
         'tablespace', (SELECT s.spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace),
         'partition key', pg_get_partkeydef(c.oid),
         'partition bound', pg_get_expr(c.relpartbound, c.oid),
         'parents', (SELECT string_agg(format('%I.%I', pn.nspname, p.relname)
                                       || CASE WHEN (to_jsonb(i) ->> 'inhdetachpending')::bool THEN ' (being detached)' ELSE '' END,
                                       ', ' ORDER BY i.inhseqno)
                       FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
                      WHERE i.inhrelid = c.oid),
         'type', CASE WHEN c.reloftype <> 0 THEN c.reloftype::regtype::text END,
         'server', s.srvname,
         'server options', (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(f.ftoptions) AS o)) AS properties
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
  LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
