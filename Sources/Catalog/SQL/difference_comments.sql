-- Which comments and security labels do objects have? (14+)
WITH said AS (
    SELECT d.classoid AS catalog, d.objoid AS oid, d.objsubid AS sub, 'comment' AS property, d.description AS value
      FROM pg_description d
    UNION ALL
    SELECT d.classoid, d.objoid, 0, 'comment', d.description
      FROM pg_shdescription d
     WHERE d.classoid = 'pg_database'::regclass
       AND d.objoid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL
    SELECT l.classoid, l.objoid, l.objsubid, 'security label of ' || l.provider, l.label FROM pg_seclabel l
), about AS (
    SELECT s.*, coalesce(t.tgrelid, w.ev_class, p.polrelid, nullif(k.conrelid, 0), i.indrelid, x.stxrelid,
                         CASE WHEN s.sub > 0 THEN s.oid END) AS relation, k.contypid, k.contype
      FROM said s
      LEFT JOIN pg_trigger t ON s.catalog = 'pg_trigger'::regclass AND t.oid = s.oid
      LEFT JOIN pg_rewrite w ON s.catalog = 'pg_rewrite'::regclass AND w.oid = s.oid
      LEFT JOIN pg_policy p ON s.catalog = 'pg_policy'::regclass AND p.oid = s.oid
      LEFT JOIN pg_constraint k ON s.catalog = 'pg_constraint'::regclass AND k.oid = s.oid
      LEFT JOIN pg_index i ON s.catalog = 'pg_class'::regclass AND i.indexrelid = s.oid
      LEFT JOIN pg_statistic_ext x ON s.catalog = 'pg_statistic_ext'::regclass AND x.oid = s.oid
     WHERE s.oid >= 16384 OR s.catalog IN ('pg_largeobject'::regclass, 'pg_database'::regclass, 'pg_namespace'::regclass)
)
SELECT a.catalog::regclass AS catalog, a.oid,
       CASE WHEN a.relation IS NOT NULL THEN 'pg_class ' || (pg_identify_object('pg_class'::regclass, a.relation, 0)).identity
            WHEN a.contypid <> 0 THEN 'pg_type ' || (pg_identify_object('pg_type'::regclass, a.contypid, 0)).identity END AS parent,
       o.type AS kind,
       CASE WHEN a.catalog = 'pg_database'::regclass THEN '' ELSE o.identity END AS name,
       jsonb_object_agg(a.property, a.value) AS properties
  FROM about a CROSS JOIN LATERAL pg_identify_object(a.catalog, a.oid, a.sub) AS o
 WHERE (o.schema IS NULL OR o.schema !~ '^pg_' AND o.schema NOT IN ('information_schema', 'martlet'))
   AND NOT (a.catalog = 'pg_namespace'::regclass AND (o.identity ~ '^pg_' OR o.identity IN ('information_schema', 'martlet')))
   -- An extension brings the comment on itself.
   AND a.catalog <> 'pg_extension'::regclass
   AND (a.contype IS DISTINCT FROM 'n'
        OR coalesce(nullif(current_setting('martlet.least_version', true), ''), current_setting('server_version_num'))::int >= 180000)
   AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.deptype = 'e'
                      AND (e.classid = a.catalog AND e.objid = a.oid OR e.classid = 'pg_class'::regclass AND e.objid = a.relation))
 GROUP BY 1, 2, 3, 4, 5
