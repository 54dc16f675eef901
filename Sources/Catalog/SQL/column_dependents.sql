-- What goes away with the columns of tables $1 (oid[]) that have the numbers $2 (int2[]), or needs what goes away? (14+)
WITH RECURSIVE edge AS (
    SELECT classid, objid, refclassid, refobjid FROM pg_depend
     WHERE deptype NOT IN ('e', 'x') AND objid >= 16384 AND refobjid >= 16384
    -- What is one with a part of it: a view with its query.
    UNION ALL
    SELECT 'pg_class'::regclass, ev_class, 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE rulename = '_RETURN'
    UNION ALL
    SELECT 'pg_type'::regclass, reltype, 'pg_class'::regclass, oid FROM pg_class WHERE relkind = 'c'
), gone (relation, number) AS (
    SELECT * FROM unnest($1::oid[], $2::int2[])
), reached (classid, objid) AS (
    SELECT d.classid, d.objid
      FROM gone g
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = g.relation AND d.refobjsubid = g.number
     WHERE d.deptype NOT IN ('e', 'x') AND d.objid >= 16384
       AND NOT (d.classid = 'pg_class'::regclass AND d.objid = g.relation)
       -- A sequence that other columns use, too, stays, and so does its column.
       AND NOT EXISTS (SELECT FROM pg_class s JOIN pg_depend u ON u.refclassid = 'pg_class'::regclass AND u.refobjid = s.oid
                         JOIN pg_attrdef f ON u.classid = 'pg_attrdef'::regclass AND f.oid = u.objid
                        WHERE d.classid = 'pg_class'::regclass AND s.oid = d.objid AND s.relkind = 'S'
                          AND (f.adrelid, f.adnum) IS DISTINCT FROM (g.relation, g.number))
    UNION
    SELECT e.classid, e.objid
      FROM reached r JOIN edge e ON e.refclassid = r.classid AND e.refobjid = r.objid
     WHERE NOT (e.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class s WHERE s.oid = e.objid AND s.relkind IN ('S', 'r', 'p')))
)
SELECT r.classid AS catalog,
       r.objid AS oid,
       CASE WHEN k.contype = 'f' THEN 'foreign key'
            WHEN r.classid = 'pg_attrdef'::regclass AND NOT EXISTS (
                 SELECT FROM gone g JOIN pg_attrdef f ON (f.adrelid, f.adnum) = (g.relation, g.number) WHERE f.oid = r.objid)
            THEN 'generated column'
            WHEN o.type = 'composite type' THEN 'type' ELSE o.type END AS kind,
       o.identity AS name,
       n.nspname AS schema,
       c.relname AS relation,
       NOT (r.classid = 'pg_type'::regclass AND y.typrelid <> 0
            OR r.classid = 'pg_attrdef'::regclass OR c.relkind IS NOT DISTINCT FROM 'S' OR t.tgisinternal IS TRUE
            OR w.rulename IS NOT DISTINCT FROM '_RETURN' OR coalesce(k.conparentid, 0) > 0 OR i.indexrelid IS NOT NULL) AS is_named
  FROM reached r
  LEFT JOIN pg_constraint k ON r.classid = 'pg_constraint'::regclass AND k.oid = r.objid
  LEFT JOIN pg_trigger t ON r.classid = 'pg_trigger'::regclass AND t.oid = r.objid
  LEFT JOIN pg_rewrite w ON r.classid = 'pg_rewrite'::regclass AND w.oid = r.objid
  LEFT JOIN pg_class c ON r.classid = 'pg_class'::regclass AND c.oid = r.objid
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_type y ON r.classid = 'pg_type'::regclass AND y.oid = r.objid
  -- The index of a constraint is named by it.
  LEFT JOIN pg_constraint x ON r.classid = 'pg_class'::regclass AND x.conindid = r.objid
  LEFT JOIN pg_index i ON i.indexrelid = x.conindid
 CROSS JOIN LATERAL pg_identify_object(r.classid, r.objid, 0) AS o
 ORDER BY kind, name
