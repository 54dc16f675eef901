-- Which casts, operators, operator classes, operator families and access methods are there? (14+)
WITH found AS (
    SELECT 'pg_cast'::regclass AS catalog, c.oid,
           jsonb_build_object('function', CASE c.castmethod WHEN 'f' THEN c.castfunc::regprocedure::text WHEN 'i' THEN 'INOUT' ELSE 'binary' END,
                              'context', CASE c.castcontext WHEN 'a' THEN 'assignment' WHEN 'i' THEN 'implicit' END) AS properties
      FROM pg_cast c
    UNION ALL
    SELECT 'pg_operator'::regclass, o.oid,
           jsonb_build_object('function', o.oprcode::regprocedure::text, 'commutator', nullif(o.oprcom::regoperator::text, '0'),
                              'negator', nullif(o.oprnegate::regoperator::text, '0'), 'restrict', nullif(o.oprrest::text, '-'),
                              'join', nullif(o.oprjoin::text, '-'), 'hashes', o.oprcanhash::text, 'merges', o.oprcanmerge::text)
      FROM pg_operator o
    UNION ALL
    SELECT 'pg_opclass'::regclass, o.oid,
           jsonb_build_object('family', (pg_identify_object('pg_opfamily'::regclass, o.opcfamily, 0)).identity,
                              'type', format_type(o.opcintype, NULL), 'default', o.opcdefault::text,
                              'storage', CASE WHEN o.opckeytype <> 0 THEN format_type(o.opckeytype, NULL) END)
      FROM pg_opclass o
    UNION ALL
    SELECT 'pg_opfamily'::regclass, f.oid,
           jsonb_build_object(
             'operators', (SELECT string_agg(format('%s %s%s', a.amopstrategy, a.amopopr::regoperator,
                                                    CASE WHEN a.amopsortfamily <> 0 THEN ' FOR ORDER BY '
                                                         || (pg_identify_object('pg_opfamily'::regclass, a.amopsortfamily, 0)).identity ELSE '' END),
                                             ', ' ORDER BY a.amopstrategy, a.amopopr::regoperator::text COLLATE "C")
                             FROM pg_amop a WHERE a.amopfamily = f.oid),
             'functions', (SELECT string_agg(format('%s (%s, %s) %s', a.amprocnum, format_type(a.amproclefttype, NULL),
                                                    format_type(a.amprocrighttype, NULL), a.amproc::regprocedure),
                                             ', ' ORDER BY a.amprocnum, a.amproc::regprocedure::text COLLATE "C",
                                                           format_type(a.amproclefttype, NULL) COLLATE "C", format_type(a.amprocrighttype, NULL) COLLATE "C")
                             FROM pg_amproc a WHERE a.amprocfamily = f.oid))
      FROM pg_opfamily f
    UNION ALL
    SELECT 'pg_am'::regclass, a.oid, jsonb_build_object('handler', a.amhandler::text, 'type', a.amtype::text) FROM pg_am a
)
SELECT f.catalog, f.oid, NULL::text AS parent, o.type AS kind, o.identity AS name, f.properties
  FROM found f CROSS JOIN LATERAL pg_identify_object(f.catalog, f.oid, 0) AS o
 WHERE f.oid >= 16384 AND (o.schema IS NULL OR o.schema !~ '^pg_' AND o.schema NOT IN ('information_schema', 'martlet'))
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = f.catalog AND e.objid = f.oid AND e.deptype = 'e')
