-- Which privileges do objects get that are made from now on (ALTER DEFAULT PRIVILEGES)? (14+)
SELECT 'pg_default_acl'::regclass AS catalog, d.oid, NULL::text AS parent, 'default privileges' AS kind,
       o.identity AS name,
       (SELECT coalesce(jsonb_object_agg(g.role, g.privileges), '{}')
          FROM (SELECT 'privileges of ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' WHEN d.defaclrole THEN 'the owner' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role,
                       string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', '
                                  ORDER BY a.privilege_type COLLATE "C") AS privileges
                  FROM aclexplode(d.defaclacl) AS a
                 WHERE a.privilege_type <> 'MAINTAIN'
                    OR coalesce(nullif(current_setting('martlet.least_version', true), ''), current_setting('server_version_num'))::int >= 170000
                 GROUP BY 1) AS g) AS properties
  FROM pg_default_acl d CROSS JOIN LATERAL pg_identify_object('pg_default_acl'::regclass, d.oid, 0) AS o
