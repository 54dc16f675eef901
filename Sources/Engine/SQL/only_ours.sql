-- Takes back what default privileges, PUBLIC's among them, have given others on schema martlet and all in it. (14+)
DO $martlet$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
          FROM pg_namespace n
         CROSS JOIN LATERAL (SELECT n.nspacl AS acl, n.nspowner AS owner
                             UNION ALL SELECT c.relacl, c.relowner FROM pg_class c WHERE c.relnamespace = n.oid
                             UNION ALL SELECT coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
                                         FROM pg_proc p WHERE p.pronamespace = n.oid) AS o
         CROSS JOIN LATERAL aclexplode(o.acl) AS a
         WHERE n.nspname = 'martlet' AND a.grantee <> o.owner
    LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA martlet FROM %s', item.grantee);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA martlet FROM %s', item.grantee);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA martlet FROM %s', item.grantee);
        EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA martlet FROM %s', item.grantee);
    END LOOP;
END
$martlet$
