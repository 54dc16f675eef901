-- Which extensions, languages, transforms and event triggers are there? (14+)
WITH found AS (
    SELECT 'pg_extension'::regclass AS catalog, x.oid,
           jsonb_build_object('version', x.extversion, 'schema', quote_ident(n.nspname)) AS properties
      FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
     WHERE x.extname <> 'plpgsql'
    UNION ALL
    SELECT 'pg_language'::regclass, l.oid,
           jsonb_build_object('trusted', l.lanpltrusted::text, 'handler', nullif(l.lanplcallfoid::regproc::text, '-'),
                              'inline', nullif(l.laninline::regproc::text, '-'), 'validator', nullif(l.lanvalidator::regproc::text, '-'))
      FROM pg_language l
    UNION ALL
    SELECT 'pg_transform'::regclass, t.oid, jsonb_build_object('from SQL', t.trffromsql::text, 'to SQL', t.trftosql::text) FROM pg_transform t
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, t.oid,
           jsonb_build_object('event', t.evtevent, 'function', t.evtfoid::regprocedure::text,
                              'tags', (SELECT string_agg(g, ', ' ORDER BY g COLLATE "C") FROM unnest(t.evttags) AS g),
                              'enabled', CASE t.evtenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END)
      FROM pg_event_trigger t
)
SELECT f.catalog, f.oid, NULL::text AS parent, o.type AS kind, o.identity AS name, f.properties
  FROM found f CROSS JOIN LATERAL pg_identify_object(f.catalog, f.oid, 0) AS o
 WHERE (f.oid >= 16384 OR f.catalog = 'pg_extension'::regclass)
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = f.catalog AND e.objid = f.oid AND e.deptype = 'e')
