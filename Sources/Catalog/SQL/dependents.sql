-- What cannot be made without the tables $1 (oid[]), directly or by way of other objects? (14+)
WITH RECURSIVE edge AS (
    SELECT classid, objid, refclassid, refobjid FROM pg_depend
     WHERE deptype NOT IN ('e', 'x') AND objid >= 16384 AND refobjid >= 16384
    -- What is one with a part of it: a view with its query, a table with its defaults, checks and indexes.
    UNION ALL
    SELECT 'pg_class'::regclass, ev_class, 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE rulename = '_RETURN'
    UNION ALL
    SELECT 'pg_class'::regclass, d.adrelid, 'pg_attrdef'::regclass, d.oid
      FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT 'pg_class'::regclass, conrelid, 'pg_constraint'::regclass, oid
      FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0
    UNION ALL
    SELECT 'pg_type'::regclass, contypid, 'pg_constraint'::regclass, oid FROM pg_constraint WHERE contypid <> 0
    UNION ALL
    SELECT 'pg_class'::regclass, indrelid, 'pg_class'::regclass, indexrelid FROM pg_index
    UNION ALL
    SELECT 'pg_type'::regclass, reltype, 'pg_class'::regclass, oid FROM pg_class WHERE relkind = 'c'
), reached (classid, objid) AS (
    SELECT 'pg_class'::regclass::oid, o FROM unnest($1::oid[]) AS o
    UNION
    SELECT e.classid, e.objid
      FROM reached r JOIN edge e ON e.refclassid = r.classid AND e.refobjid = r.objid
     -- A sequence lives on without the column that owns it.
     WHERE NOT (e.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class s WHERE s.oid = e.objid AND s.relkind = 'S'))
), part AS (
    -- What belongs to a relation, and is no object of its own when that is left out too.
    SELECT r.classid, r.objid, coalesce(t.tgrelid, w.ev_class, p.polrelid, k.conrelid) AS relation,
           c.relkind, c.relname, n.nspname AS relschema, y.typtype, y.typrelid, y.typelem, k.contype,
           coalesce(t.tgisinternal OR t.tgparentid <> 0, w.rulename = '_RETURN', k.conparentid <> 0, false) AS is_implied
      FROM reached r
      LEFT JOIN pg_trigger t ON r.classid = 'pg_trigger'::regclass AND t.oid = r.objid
      LEFT JOIN pg_rewrite w ON r.classid = 'pg_rewrite'::regclass AND w.oid = r.objid
      LEFT JOIN pg_policy p ON r.classid = 'pg_policy'::regclass AND p.oid = r.objid
      LEFT JOIN pg_constraint k ON r.classid = 'pg_constraint'::regclass AND k.oid = r.objid
      LEFT JOIN pg_class c ON r.classid = 'pg_class'::regclass AND c.oid = r.objid
      LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_type y ON r.classid = 'pg_type'::regclass AND y.oid = r.objid
     WHERE NOT (r.classid = 'pg_class'::regclass AND r.objid = ANY ($1::oid[]))
)
SELECT p.classid AS catalog,
       p.objid AS oid,
       CASE WHEN p.contype = 'f' THEN 'foreign key' WHEN o.type = 'composite type' THEN 'type' ELSE o.type END AS kind,
       o.identity AS name,
       p.relschema AS schema,
       p.relname AS relation,
       -- Whether people would say that it is left out, and not only something that it is made of.
       CASE WHEN p.is_implied OR p.relation IN (SELECT objid FROM reached WHERE classid = 'pg_class'::regclass) THEN false
            WHEN p.classid = 'pg_class'::regclass THEN p.relkind IN ('r', 'p', 'v', 'm', 'f')
            WHEN p.classid = 'pg_type'::regclass
            THEN p.typelem = 0 AND p.typtype IN ('d', 'r', 'c')
                 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.typrelid AND c.relkind <> 'c')
            WHEN p.classid = 'pg_constraint'::regclass THEN p.contype = 'f'
            ELSE p.classid NOT IN ('pg_attrdef'::regclass, 'pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass)
       END AS is_named
  FROM part p CROSS JOIN LATERAL pg_identify_object(p.classid, p.objid, 0) AS o
 ORDER BY kind, name
