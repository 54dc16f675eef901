-- Which objects need a right that only a superuser has by nature, and what exactly needs it? (14+)
-- What belongs to an extension comes with it. OIDs from 16384 on are not PostgreSQL's own.
WITH object AS (
    SELECT 'event trigger' AS kind, '' AS detail, evtname::text AS name, 'pg_event_trigger'::regclass AS catalog, oid
      FROM pg_event_trigger
    UNION ALL
    SELECT 'publication of all tables', '', pubname, 'pg_publication'::regclass, oid
      FROM pg_publication WHERE puballtables AND pubname !~ '^martlet_'
    UNION ALL
    -- The catalog came with PostgreSQL 15.
    SELECT 'publication of a schema', '', p.pubname, 'pg_publication'::regclass, p.oid
      FROM pg_publication p
     WHERE EXISTS (SELECT FROM pg_depend d
                    WHERE d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid
                      AND d.classid = to_regclass('pg_catalog.pg_publication_namespace'))
    UNION ALL
    SELECT 'function', l.lanname, p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid
      FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
     WHERE NOT l.lanpltrusted AND p.oid >= 16384
    UNION ALL
    SELECT 'leakproof function', '', p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid
      FROM pg_proc p WHERE p.proleakproof AND p.oid >= 16384
    UNION ALL
    SELECT 'function that sets a parameter', s.name, p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid
      FROM pg_proc p CROSS JOIN LATERAL unnest(p.proconfig) AS c
      JOIN pg_settings s ON s.name = split_part(c, '=', 1) AND s.context = 'superuser'
     WHERE p.oid >= 16384
    UNION ALL
    SELECT 'base type', '', t.oid::regtype::text, 'pg_type'::regclass, t.oid
      FROM pg_type t
     WHERE t.typtype = 'b' AND t.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
    UNION ALL
    SELECT 'operator family', '', n.nspname || '.' || f.opfname, 'pg_opfamily'::regclass, f.oid
      FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace WHERE f.oid >= 16384
    UNION ALL
    SELECT 'foreign-data wrapper', '', fdwname, 'pg_foreign_data_wrapper'::regclass, oid
      FROM pg_foreign_data_wrapper WHERE oid >= 16384
    UNION ALL
    SELECT 'foreign server', w.fdwname, s.srvname, 'pg_foreign_server'::regclass, s.oid
      FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
    UNION ALL
    SELECT 'language', '', lanname, 'pg_language'::regclass, oid FROM pg_language WHERE oid >= 16384
    UNION ALL
    SELECT CASE castmethod WHEN 'b' THEN 'cast without a function' ELSE 'cast' END,
           format('%s AS %s', castsource::regtype, casttarget::regtype),
           format('%s AS %s', castsource::regtype, casttarget::regtype), 'pg_cast'::regclass, oid
      FROM pg_cast
     WHERE oid >= 16384 AND (castmethod = 'b' OR castsource < 16384 AND casttarget < 16384)
    UNION ALL
    SELECT 'text search template', '', tmplname, 'pg_ts_template'::regclass, oid FROM pg_ts_template WHERE oid >= 16384
    UNION ALL
    SELECT 'text search parser', '', prsname, 'pg_ts_parser'::regclass, oid FROM pg_ts_parser WHERE oid >= 16384
    UNION ALL
    SELECT 'access method', '', amname, 'pg_am'::regclass, oid FROM pg_am WHERE oid >= 16384
    UNION ALL
    SELECT 'security label', provider,
           (pg_identify_object(classoid, objoid, objsubid)).identity, classoid::regclass, objoid
      FROM pg_seclabel
    UNION ALL
    SELECT 'grant by another than the owner', '', g.catalog || ' ' || g.name, 'pg_auth_members'::regclass, g.oid
      FROM (SELECT 'relation' AS catalog, oid, oid::regclass::text AS name, relowner AS owner, relacl AS acl FROM pg_class
            UNION ALL SELECT 'column of', attrelid, attrelid::regclass || '.' || quote_ident(attname),
                             (SELECT relowner FROM pg_class WHERE oid = attrelid), attacl FROM pg_attribute
            UNION ALL SELECT 'function', oid, oid::regprocedure::text, proowner, proacl FROM pg_proc
            UNION ALL SELECT 'type', oid, oid::regtype::text, typowner, typacl FROM pg_type
            UNION ALL SELECT 'schema', oid, oid::regnamespace::text, nspowner, nspacl FROM pg_namespace) AS g
     WHERE EXISTS (SELECT FROM aclexplode(g.acl) AS a WHERE a.grantor <> g.owner)
    UNION ALL
    -- pg_init_privs has what initdb and extensions grant.
    SELECT 'privilege on an object of the system or of an extension', '', p.oid::regprocedure::text, 'pg_init_privs'::regclass, p.oid
      FROM pg_proc p LEFT JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid
     WHERE coalesce(p.proacl, acldefault('f', p.proowner)) <> coalesce(i.initprivs, acldefault('f', p.proowner))
       AND (p.oid < 16384 OR i.objoid IS NOT NULL OR EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
    UNION ALL
    SELECT 'privilege on an object of the system or of an extension', '', c.oid::regclass::text, 'pg_init_privs'::regclass, c.oid
      FROM pg_class c LEFT JOIN pg_init_privs i ON i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0
     WHERE c.relkind IN ('r', 'v', 'S') AND c.relnamespace <> 'information_schema'::regnamespace
       AND coalesce(c.relacl, acldefault('r', c.relowner)) <> coalesce(i.initprivs, acldefault('r', c.relowner))
       AND (c.oid < 16384 OR i.objoid IS NOT NULL OR EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
)
SELECT kind, detail, name, catalog::oid AS catalog, oid,
       -- The extension that brings the language or the foreign-data wrapper.
       (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
         WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
           AND (o.kind = 'function' AND d.classid = 'pg_language'::regclass
                AND d.objid = (SELECT l.oid FROM pg_language l WHERE l.lanname = o.detail)
                OR o.kind = 'foreign server' AND d.classid = 'pg_foreign_data_wrapper'::regclass
                AND d.objid = (SELECT w.oid FROM pg_foreign_data_wrapper w WHERE w.fdwname = o.detail)) LIMIT 1) AS extension
  FROM object o
 WHERE NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e')
 ORDER BY kind, detail, name
