-- Which collations, conversions and text search objects are there? (14+)
WITH found AS (
    SELECT 'pg_collation'::regclass AS catalog, l.oid,
           jsonb_build_object(
             'provider', l.collprovider::text, 'deterministic', l.collisdeterministic::text, 'encoding', nullif(l.collencoding, -1)::text,
             -- ICU's locale was in collcollate before 15; since 16 the server writes it as a language tag.
             'locale', replace(coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale',
                                        CASE l.collprovider WHEN 'i' THEN l.collcollate END), '_', '-'),
             'collation', CASE l.collprovider WHEN 'c' THEN l.collcollate END,
             'character classification', CASE l.collprovider WHEN 'c' THEN l.collctype END,
             'ICU rules', to_jsonb(l) ->> 'collicurules') AS properties
      FROM pg_collation l
    UNION ALL
    SELECT 'pg_conversion'::regclass, c.oid,
           jsonb_build_object('from', pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding),
                              'function', c.conproc::text, 'default', c.condefault::text)
      FROM pg_conversion c
    UNION ALL
    SELECT 'pg_ts_parser'::regclass, p.oid,
           jsonb_build_object('start', p.prsstart::text, 'token', p.prstoken::text, 'end', p.prsend::text,
                              'types', p.prslextype::text, 'headline', nullif(p.prsheadline::text, '-'))
      FROM pg_ts_parser p
    UNION ALL
    SELECT 'pg_ts_template'::regclass, t.oid, jsonb_build_object('init', nullif(t.tmplinit::text, '-'), 'lexize', t.tmpllexize::text)
      FROM pg_ts_template t
    UNION ALL
    SELECT 'pg_ts_dict'::regclass, d.oid,
           jsonb_build_object('template', (pg_identify_object('pg_ts_template'::regclass, d.dicttemplate, 0)).identity, 'options', d.dictinitoption)
      FROM pg_ts_dict d
    UNION ALL
    SELECT 'pg_ts_config'::regclass, c.oid,
           jsonb_build_object('parser', (pg_identify_object('pg_ts_parser'::regclass, c.cfgparser, 0)).identity,
                              'mappings', (SELECT string_agg(format('%s %s', (SELECT k.alias FROM ts_token_type(c.cfgparser) k WHERE k.tokid = m.maptokentype),
                                                                    m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno)
                                             FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))
      FROM pg_ts_config c
)
SELECT f.catalog, f.oid, NULL::text AS parent, o.type AS kind, o.identity AS name, f.properties
  FROM found f CROSS JOIN LATERAL pg_identify_object(f.catalog, f.oid, 0) AS o
 WHERE f.oid >= 16384 AND o.schema !~ '^pg_' AND o.schema NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = f.catalog AND e.objid = f.oid AND e.deptype = 'e')
