-- Which roles own something here, grant by default, or have privileges on something, and through which relations? (14+)
-- pg_shdepend leaves out the first superuser, who is pinned; what is his is looked up, but for what initdb has made.
WITH pinned AS (
    SELECT 'pg_class'::regclass AS catalog, oid FROM pg_class WHERE relowner = 10
    UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspowner = 10
    UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE proowner = 10 AND oid >= 16384
    UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typowner = 10 AND oid >= 16384 AND typtype IN ('d', 'e', 'r')
    UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprowner = 10 AND oid >= 16384
    UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE collowner = 10 AND oid >= 16384
    UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion WHERE conowner = 10 AND oid >= 16384
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE dictowner = 10 AND oid >= 16384
    UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE cfgowner = 10 AND oid >= 16384
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext WHERE stxowner = 10
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server WHERE srvowner = 10
    UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication WHERE pubowner = 10 AND NOT puballtables
    UNION ALL SELECT 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata WHERE lomowner = 10
)
SELECT DISTINCT r.rolname AS role, u.is_owner AND u.classid <> 'pg_default_acl'::regclass AS is_owner,
       -- ALTER DEFAULT PRIVILEGES FOR ROLE wants what an owner wants.
       u.is_owner AND u.classid = 'pg_default_acl'::regclass AS is_grantor, n.nspname AS schema, c.relname AS name
  FROM (SELECT d.refobjid AS role, d.deptype = 'o' AS is_owner, d.classid, d.objid
          FROM pg_shdepend d
         WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND d.refclassid = 'pg_authid'::regclass AND d.deptype IN ('o', 'a', 'r')
        UNION ALL
        SELECT 10, true, catalog, oid FROM pinned) u
  JOIN pg_roles r ON r.oid = u.role
  LEFT JOIN pg_class c ON u.classid = 'pg_class'::regclass AND c.oid = u.objid
  LEFT JOIN pg_proc p ON u.classid = 'pg_proc'::regclass AND p.oid = u.objid
  LEFT JOIN pg_type t ON u.classid = 'pg_type'::regclass AND t.oid = u.objid
  LEFT JOIN pg_namespace n
    ON n.oid = CASE u.classid WHEN 'pg_class'::regclass THEN c.relnamespace
                              WHEN 'pg_proc'::regclass THEN p.pronamespace
                              WHEN 'pg_type'::regclass THEN t.typnamespace
                              WHEN 'pg_namespace'::regclass THEN u.objid END
 WHERE (n.nspname IS NULL
        OR n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
           AND (u.classid <> 'pg_namespace'::regclass OR n.nspname <> 'public'))
   -- What belongs to an extension has the owner that the extension gives it; what others were granted on it is a grant.
   AND NOT (u.is_owner AND (u.classid = 'pg_extension'::regclass OR EXISTS (
            SELECT FROM pg_depend e WHERE e.classid = u.classid AND e.objid = u.objid AND e.deptype = 'e')))
 ORDER BY 1, 2, 3, 4, 5
