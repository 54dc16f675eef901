-- What would others be given on all that we make here, and how is that taken back? (14+)
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON %s FROM %s;', r.rolname,
              CASE WHEN d.defaclnamespace <> 0 THEN format(' IN SCHEMA %I', n.nspname) END,
              CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES'
                                   WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END,
              coalesce(quote_ident(g.rolname), 'PUBLIC')) AS revoke
  FROM pg_default_acl AS d
  JOIN pg_roles AS r ON r.oid = d.defaclrole AND r.rolname = current_user
 CROSS JOIN LATERAL (SELECT DISTINCT grantee FROM aclexplode(d.defaclacl)) AS a
  LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
  LEFT JOIN pg_roles AS g ON g.oid = a.grantee
 WHERE a.grantee <> d.defaclrole
   -- What everybody may do with functions and types anyhow is written down as soon as anything is.
   AND NOT (a.grantee = 0 AND d.defaclnamespace = 0 AND d.defaclobjtype IN ('f', 'T'))
   AND d.defaclobjtype IN ('r', 'S', 'f', 'T', 'n')
 ORDER BY 1
