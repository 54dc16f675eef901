-- Which foreign-data wrappers, servers and user mappings are there? What may be a secret is not told. (14+)
SELECT 'pg_foreign_data_wrapper'::regclass AS catalog, w.oid, NULL::text AS parent, 'foreign-data wrapper' AS kind, quote_ident(w.fdwname) AS name,
       jsonb_build_object('handler', nullif(w.fdwhandler::regproc::text, '-'), 'validator', nullif(w.fdwvalidator::regproc::text, '-'),
                          'options', (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(w.fdwoptions) AS o)) AS properties
  FROM pg_foreign_data_wrapper w
 WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_foreign_data_wrapper'::regclass AND e.objid = w.oid AND e.deptype = 'e')
UNION ALL
SELECT 'pg_foreign_server'::regclass, s.oid, NULL, 'server', quote_ident(s.srvname),
       jsonb_build_object('wrapper', quote_ident(w.fdwname), 'type', s.srvtype, 'version', s.srvversion,
                          'options', (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(s.srvoptions) AS o))
  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
 WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_foreign_server'::regclass AND e.objid = s.oid AND e.deptype = 'e')
UNION ALL
SELECT 'pg_user_mapping'::regclass, u.umid, 'pg_foreign_server ' || quote_ident(u.srvname), 'user mapping',
       format('%I on server %I', u.usename, u.srvname),
       jsonb_build_object('options', (SELECT string_agg(CASE WHEN o ~ '^user=' THEN o
                                                             ELSE format('%s (md5 %s)', split_part(o, '=', 1), md5(o)) END, ', ' ORDER BY o COLLATE "C")
                                        FROM unnest(u.umoptions) AS o))
  FROM pg_user_mappings u
