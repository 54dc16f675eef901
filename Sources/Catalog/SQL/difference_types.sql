-- Which types are there, and what is each one? Row types of tables, arrays and multiranges left out. (14+)
SELECT 'pg_type'::regclass AS catalog, t.oid, NULL::text AS parent,
       'type' AS kind,
       format('%I.%I', n.nspname, t.typname) AS name,
       jsonb_build_object('kind', CASE WHEN NOT t.typisdefined THEN 'shell'
                                       ELSE CASE t.typtype WHEN 'b' THEN 'base' WHEN 'c' THEN 'composite' WHEN 'd' THEN 'domain'
                                                           WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' ELSE t.typtype::text END END,
         'collation', CASE WHEN t.typcollation <> 0 AND t.typcollation IS DISTINCT FROM b.typcollation THEN t.typcollation::regcollation::text END)
       || CASE t.typtype
          WHEN 'e' THEN jsonb_build_object('labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                                                       FROM pg_enum e WHERE e.enumtypid = t.oid))
          WHEN 'd' THEN jsonb_build_object('base', format_type(t.typbasetype, t.typtypmod),
                                           'not null', CASE WHEN t.typnotnull THEN 'yes' END,
                                           'default', coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault))
          WHEN 'r' THEN (SELECT jsonb_build_object(
                                  'subtype', format_type(r.rngsubtype, NULL),
                                  'operator class', (pg_identify_object('pg_opclass'::regclass, r.rngsubopc, 0)).identity,
                                  'range collation', CASE WHEN r.rngcollation <> 0 THEN r.rngcollation::regcollation::text END,
                                  'canonical', nullif(r.rngcanonical::text, '-'), 'difference', nullif(r.rngsubdiff::text, '-'),
                                  'multirange', r.rngmultitypid::regtype::text)
                           FROM pg_range r WHERE r.rngtypid = t.oid)
          WHEN 'b' THEN jsonb_build_object(
                          'length', t.typlen::text, 'by value', t.typbyval::text, 'alignment', t.typalign::text, 'storage', t.typstorage::text,
                          'category', t.typcategory::text, 'preferred', t.typispreferred::text, 'delimiter', t.typdelim::text,
                          'input', t.typinput::text, 'output', t.typoutput::text, 'receive', nullif(t.typreceive::text, '-'),
                          'send', nullif(t.typsend::text, '-'), 'modifier input', nullif(t.typmodin::text, '-'),
                          'modifier output', nullif(t.typmodout::text, '-'), 'analyze', nullif(t.typanalyze::text, '-'),
                          'subscript', nullif(t.typsubscript::text, '-'), 'default', t.typdefault,
                          'element', CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END)
          ELSE '{}' END AS properties
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_type b ON b.oid = t.typbasetype
 WHERE t.typtype <> 'm'
   AND NOT EXISTS (SELECT FROM pg_type i WHERE i.typarray = t.oid)
   AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
