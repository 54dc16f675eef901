-- Which roles are there, and could we make each of them the owner of something, and work with it afterwards? (14+)
-- Since PostgreSQL 16 a membership may lack either right: to act as the role, and to have what it has.
SELECT rolname AS name,
       pg_has_role(oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
         AND pg_has_role(oid, 'USAGE') AS is_ours
  FROM pg_roles
 ORDER BY 1
