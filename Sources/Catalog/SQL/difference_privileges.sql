-- Who owns each object, and who may do what with it? (14+)
WITH owned AS (
    SELECT 'pg_class'::regclass AS catalog, c.oid, 0 AS sub, c.relowner AS owner,
           coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
      FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum, c.relowner, a.attacl
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped AND c.relpersistence <> 't'
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
      FROM pg_type t
     WHERE t.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type i WHERE i.typarray = t.oid)
       AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
      FROM pg_proc p
     WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'i')
    UNION ALL
    SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)) FROM pg_namespace n
    UNION ALL
    SELECT 'pg_language'::regclass, l.oid, 0, l.lanowner, coalesce(l.lanacl, acldefault('l', l.lanowner)) FROM pg_language l
    UNION ALL
    SELECT 'pg_database'::regclass, d.oid, 0, d.datdba, coalesce(d.datacl, acldefault('d', d.datdba))
      FROM pg_database d WHERE d.datname = current_database()
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, 0, w.fdwowner, coalesce(w.fdwacl, acldefault('F', w.fdwowner))
      FROM pg_foreign_data_wrapper w
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, s.oid, 0, s.srvowner, coalesce(s.srvacl, acldefault('S', s.srvowner)) FROM pg_foreign_server s
    UNION ALL
    SELECT 'pg_largeobject'::regclass, m.oid, 0, m.lomowner, coalesce(m.lomacl, acldefault('L', m.lomowner))
      FROM pg_largeobject_metadata m
    UNION ALL
    SELECT 'pg_operator'::regclass, oid, 0, oprowner, NULL FROM pg_operator
    UNION ALL
    SELECT 'pg_opclass'::regclass, oid, 0, opcowner, NULL FROM pg_opclass
    UNION ALL
    SELECT 'pg_opfamily'::regclass, oid, 0, opfowner, NULL FROM pg_opfamily
    UNION ALL
    SELECT 'pg_collation'::regclass, oid, 0, collowner, NULL FROM pg_collation
    UNION ALL
    SELECT 'pg_conversion'::regclass, oid, 0, conowner, NULL FROM pg_conversion
    UNION ALL
    SELECT 'pg_ts_dict'::regclass, oid, 0, dictowner, NULL FROM pg_ts_dict
    UNION ALL
    SELECT 'pg_ts_config'::regclass, oid, 0, cfgowner, NULL FROM pg_ts_config
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, oid, 0, stxowner, NULL FROM pg_statistic_ext
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, oid, 0, evtowner, NULL FROM pg_event_trigger
    UNION ALL
    SELECT 'pg_publication'::regclass, oid, 0, pubowner, NULL FROM pg_publication WHERE pubname !~ '^martlet_'
)
SELECT w.catalog, w.oid, CASE WHEN w.sub > 0 THEN 'pg_class ' || w.oid::regclass END AS parent,
       o.type AS kind,
       CASE w.catalog WHEN 'pg_database'::regclass THEN '' ELSE o.identity END AS name,
       CASE WHEN w.sub = 0 THEN jsonb_build_object('owner', quote_ident(pg_get_userbyid(w.owner))) ELSE '{}' END
       || (SELECT coalesce(jsonb_object_agg(g.role, g.privileges), '{}')
             FROM (SELECT 'privileges of ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' WHEN w.owner THEN 'the owner'
                                                   ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role,
                          string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
                                     || CASE WHEN a.grantor = w.owner THEN '' ELSE ' by ' || quote_ident(pg_get_userbyid(a.grantor)) END,
                                     ', ' ORDER BY a.privilege_type COLLATE "C", pg_get_userbyid(a.grantor) COLLATE "C") AS privileges
                     FROM aclexplode(w.acl) AS a
                    -- A privilege that PostgreSQL 17 brought.
                    WHERE a.privilege_type <> 'MAINTAIN'
                       OR coalesce(nullif(current_setting('martlet.least_version', true), ''), current_setting('server_version_num'))::int >= 170000
                    GROUP BY 1) AS g) AS properties
  FROM owned w CROSS JOIN LATERAL pg_identify_object(w.catalog, w.oid, w.sub) AS o
 WHERE (w.oid >= 16384 OR w.catalog IN ('pg_largeobject'::regclass, 'pg_database'::regclass)
        OR w.catalog = 'pg_namespace'::regclass AND o.identity = 'public')
   AND (o.schema IS NULL OR o.schema !~ '^pg_' AND o.schema NOT IN ('information_schema', 'martlet'))
   AND NOT (w.catalog = 'pg_namespace'::regclass AND (o.identity ~ '^pg_' OR o.identity IN ('information_schema', 'martlet')))
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = w.catalog AND e.objid = w.oid AND e.deptype = 'e')
