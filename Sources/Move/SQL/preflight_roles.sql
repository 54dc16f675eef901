-- Which roles own something here, or have privileges on something, and through which relations? (14+)
-- pg_shdepend leaves out the first superuser, who is pinned; his tables and schemas are looked up.
SELECT DISTINCT r.rolname AS role, u.is_owner, n.nspname AS schema, c.relname AS name
  FROM (SELECT d.refobjid AS role, d.deptype = 'o' AS is_owner, d.classid, d.objid
          FROM pg_shdepend d
         WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND d.refclassid = 'pg_authid'::regclass AND d.deptype IN ('o', 'a', 'r')
        UNION ALL
        SELECT relowner, true, 'pg_class'::regclass, oid FROM pg_class WHERE relowner = 10
        UNION ALL
        SELECT nspowner, true, 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspowner = 10) u
  JOIN pg_roles r ON r.oid = u.role
  LEFT JOIN pg_class c ON u.classid = 'pg_class'::regclass AND c.oid = u.objid
  LEFT JOIN pg_namespace n
    ON n.oid = CASE WHEN u.classid = 'pg_class'::regclass THEN c.relnamespace
                    WHEN u.classid = 'pg_namespace'::regclass THEN u.objid END
 WHERE n.nspname IS NULL
    OR n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
       AND (c.oid IS NOT NULL OR n.nspname <> 'public')
 ORDER BY 1, 2, 3, 4
