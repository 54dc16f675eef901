-- Which roles are there, and could we make each of them the owner of something? (14+)
SELECT rolname AS name, pg_has_role(oid, 'MEMBER') AS is_ours FROM pg_roles ORDER BY 1
