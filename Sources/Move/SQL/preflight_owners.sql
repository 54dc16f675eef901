-- Who owns something in which schema, and may he create there by a grant that a dump carries along? (14+)
-- A row without a schema: who owns something that lies in the database itself.
WITH object AS (
    SELECT 'pg_class'::regclass AS catalog, oid, relnamespace AS schema, relowner AS owner
      FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace, proowner FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace, typowner FROM pg_type WHERE typtype IN ('d', 'e', 'r')
), owned AS (
    SELECT DISTINCT schema, owner
      FROM object o
     WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e')
)
SELECT n.nspname AS schema,
       pg_get_userbyid(n.nspowner) AS schema_owner,
       pg_get_userbyid(o.owner) AS owner,
       EXISTS (SELECT FROM aclexplode(n.nspacl) AS a
                WHERE a.privilege_type = 'CREATE' AND a.grantee IN (0, o.owner)
                  -- What initdb has granted is in no dump.
                  AND NOT EXISTS (SELECT FROM pg_init_privs i CROSS JOIN LATERAL aclexplode(i.initprivs) AS b
                                   WHERE i.classoid = 'pg_namespace'::regclass AND i.objoid = n.oid
                                     AND b.privilege_type = 'CREATE' AND b.grantee = a.grantee)) AS is_granted
  FROM owned o JOIN pg_namespace n ON n.oid = o.schema
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet') AND o.owner <> n.nspowner
UNION
SELECT NULL, NULL, pg_get_userbyid(nspowner), false
  FROM pg_namespace
 WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'martlet', 'public')
UNION
SELECT NULL, NULL, pg_get_userbyid(pubowner), false FROM pg_publication WHERE pubname !~ '^martlet_'
 ORDER BY 1, 3
