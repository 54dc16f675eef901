-- Who owns schema public, may everybody create in it, and what is said about it? No row when there is none. (14+)
SELECT quote_ident(pg_get_userbyid(n.nspowner)) AS owner,
       n.nspowner = 10 OR pg_get_userbyid(n.nspowner) = 'pg_database_owner' AS is_default_owner,
       pg_has_role(n.nspowner, 'USAGE') AS is_ours,
       EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
                WHERE a.grantee = 0 AND a.privilege_type = 'CREATE') AS is_open,
       coalesce(obj_description(n.oid, 'pg_namespace'), '') AS comment
  FROM pg_namespace n
 WHERE n.nspname = 'public'
