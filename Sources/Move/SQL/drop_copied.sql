-- Removes what a move brought; what was there before stays, and so do extensions. (14+)
-- Commits in between: the locks of thousands of tables find no room in one transaction. May be repeated.
DO $martlet$
DECLARE
    item record;
    dropped int := 0;
BEGIN
    -- Event triggers first, lest they fire for what follows.
    FOR item IN
        SELECT replace(o.type, '-', ' ') AS kind, o.identity
          FROM (SELECT 'pg_event_trigger'::regclass AS catalog, oid FROM pg_event_trigger
                UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication) AS c
         CROSS JOIN LATERAL pg_identify_object(c.catalog, c.oid, 0) AS o
         WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = c.catalog AND d.objid = c.oid AND d.deptype = 'e')
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = c.catalog AND b.oid = c.oid)
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', item.kind, item.identity);
    END LOOP;
    COMMIT;
    FOR item IN
        SELECT c.relname, n.nspname,
               CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                              WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
           AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND NOT c.relispartition
           -- A partitioned table and a composite type depend internally on parts of themselves; an identity's sequence on its table.
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                              AND (d.deptype = 'e' OR d.deptype = 'i' AND c.relkind = 'S'))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_class'::regclass AND b.oid = c.oid)
         ORDER BY c.relkind IN ('S', 'c')
    LOOP
        EXECUTE format('DROP %s IF EXISTS %I.%I CASCADE', item.kind, item.nspname, item.relname);
        dropped := dropped + 1;
        IF dropped % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
    COMMIT;
    FOR item IN
        SELECT p.oid::regprocedure AS signature, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS kind
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                              -- The functions that make a range belong to its type.
                              AND d.deptype IN ('e', 'i'))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_proc'::regclass AND b.oid = p.oid)
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', item.kind, item.signature);
        dropped := dropped + 1;
        IF dropped % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
    COMMIT;
    FOR item IN
        SELECT n.nspname, t.typname, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS kind
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
           AND t.typtype IN ('e', 'd', 'r') AND t.typelem = 0
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype IN ('e', 'i'))
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_type'::regclass AND b.oid = t.oid)
    LOOP
        EXECUTE format('DROP %s IF EXISTS %I.%I CASCADE', item.kind, item.nspname, item.typname);
        dropped := dropped + 1;
        IF dropped % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
    COMMIT;
    -- All other kinds, those that need others before them; schemas last.
    FOR item IN
        SELECT replace(o.type, '-', ' ') AS kind, o.identity
          FROM (SELECT 1 AS step, 'pg_opclass'::regclass AS catalog, oid FROM pg_opclass
                UNION ALL SELECT 2, 'pg_opfamily'::regclass, oid FROM pg_opfamily
                UNION ALL SELECT 3, 'pg_operator'::regclass, oid FROM pg_operator
                UNION ALL SELECT 4, 'pg_cast'::regclass, oid FROM pg_cast
                UNION ALL SELECT 5, 'pg_collation'::regclass, oid FROM pg_collation
                UNION ALL SELECT 6, 'pg_conversion'::regclass, oid FROM pg_conversion
                UNION ALL SELECT 7, 'pg_ts_config'::regclass, oid FROM pg_ts_config
                UNION ALL SELECT 8, 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
                UNION ALL SELECT 9, 'pg_ts_template'::regclass, oid FROM pg_ts_template
                UNION ALL SELECT 10, 'pg_ts_parser'::regclass, oid FROM pg_ts_parser
                UNION ALL SELECT 11, 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
                UNION ALL SELECT 12, 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
                UNION ALL SELECT 13, 'pg_am'::regclass, oid FROM pg_am
                UNION ALL SELECT 14, 'pg_language'::regclass, oid FROM pg_language
                UNION ALL SELECT 15, 'pg_namespace'::regclass, oid FROM pg_namespace
                           WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', 'martlet')) AS c
         CROSS JOIN LATERAL pg_identify_object(c.catalog, c.oid, 0) AS o
         WHERE c.oid >= 16384
           AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
                            WHERE d.classid = c.catalog AND d.objid = c.oid)
           AND NOT EXISTS (SELECT FROM pg_extension e WHERE c.catalog = 'pg_namespace'::regclass AND e.extnamespace = c.oid)
           AND NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = c.catalog AND b.oid = c.oid)
         ORDER BY c.step
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', item.kind, item.identity);
        COMMIT;
    END LOOP;
    -- Default privileges, lest the next copy's tables get them; those of a whole role go back to the built-in ones.
    FOR item IN
        SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s', r.rolname, ' IN SCHEMA ' || quote_ident(n.nspname)) AS place,
               d.defaclobjtype AS kind, d.defaclnamespace = 0 AS is_global, r.rolname AS role,
               CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                    WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS objects,
               ARRAY(SELECT DISTINCT coalesce(quote_ident(g.rolname), 'PUBLIC')
                       FROM aclexplode(d.defaclacl) AS a LEFT JOIN pg_roles g ON g.oid = a.grantee) AS grantees
          FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
         WHERE NOT EXISTS (SELECT FROM martlet.before b WHERE b.catalog = 'pg_default_acl'::regclass AND b.oid = d.oid)
    LOOP
        EXECUTE (SELECT string_agg(format('%s REVOKE ALL ON %s FROM %s CASCADE', item.place, item.objects, g), ';')
                   FROM unnest(item.grantees) AS g);
        IF item.is_global THEN
            EXECUTE format('%s GRANT ALL ON %s TO %I', item.place, item.objects, item.role);
            IF item.kind IN ('f', 'T') THEN
                EXECUTE format('%s GRANT ALL ON %s TO PUBLIC', item.place, item.objects);
            END IF;
        END IF;
    END LOOP;
END
$martlet$
