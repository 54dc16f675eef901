-- Which triggers, rules and policies do relations have? (14+)
WITH relation AS (
    SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
)
SELECT 'pg_trigger'::regclass AS catalog, t.oid, 'pg_class ' || r.name AS parent, 'trigger' AS kind,
       format('%I on %s', t.tgname, r.name) AS name,
       jsonb_build_object('definition', CASE WHEN t.tgparentid = 0 THEN pg_get_triggerdef(t.oid) END,
                          'enabled', CASE t.tgenabled WHEN 'O' THEN CASE WHEN t.tgparentid <> 0 THEN 'yes' END WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END) AS properties
  FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
 WHERE t.tgname <> 'martlet_fence'
   -- A partition has the triggers of its table; only what was set for the partition alone is told.
   AND CASE WHEN t.tgparentid = 0 THEN NOT t.tgisinternal
            ELSE EXISTS (SELECT FROM pg_trigger p JOIN pg_proc f ON f.oid = p.tgfoid
                          WHERE p.oid = t.tgparentid AND p.tgenabled <> t.tgenabled
                            AND f.pronamespace <> 'pg_catalog'::regnamespace) END
UNION ALL
SELECT 'pg_rewrite'::regclass, w.oid, 'pg_class ' || r.name, 'rule',
       format('%I on %s', w.rulename, r.name),
       jsonb_build_object('definition', pg_get_ruledef(w.oid),
                          'enabled', CASE w.ev_enabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END)
  FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
 WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'pg_policy'::regclass, p.oid, 'pg_class ' || r.name, 'policy',
       format('%I on %s', p.polname, r.name),
       jsonb_build_object(
         'command', p.polcmd::text,
         'restrictive', CASE WHEN NOT p.polpermissive THEN 'yes' END,
         'roles', (SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', ' ORDER BY pg_get_userbyid(o) COLLATE "C")
                     FROM unnest(p.polroles) AS o),
         'using', pg_get_expr(p.polqual, p.polrelid),
         'with check', pg_get_expr(p.polwithcheck, p.polrelid))
  FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
