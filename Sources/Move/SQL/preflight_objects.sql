-- Which objects, besides plain tables, does a move treat in a way of their own? (14+)
WITH theirs AS (
    SELECT oid, nspname FROM pg_namespace
     WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'martlet')
), relation AS (
    SELECT c.*, n.nspname
      FROM pg_class c JOIN theirs n ON n.oid = c.relnamespace
     WHERE NOT EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                          AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
)
SELECT CASE relkind WHEN 'f' THEN 'foreign table' WHEN 'm' THEN 'materialized view' END AS kind,
       nspname AS schema, relname AS name, '' AS detail
  FROM relation WHERE relkind IN ('f', 'm')
UNION ALL
SELECT 'inheritance', r.nspname, r.relname, ''
  FROM relation r
 WHERE r.relkind = 'r' AND NOT r.relispartition AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = r.oid)
UNION ALL
SELECT 'forced row security', r.nspname, r.relname, ''
  FROM relation r WHERE r.relrowsecurity AND r.relforcerowsecurity
UNION ALL
SELECT 'rule', r.nspname, r.relname, (pg_identify_object('pg_rewrite'::regclass, w.oid, 0)).identity
  FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
 WHERE r.relkind IN ('r', 'p')
UNION ALL
SELECT 'invalid index', n.nspname, c.relname, r.relname
  FROM relation r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND r.relkind = 'r'
UNION ALL
SELECT 'lz4', r.nspname, r.relname, a.attname
  FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
 WHERE r.relkind IN ('r', 'p') AND a.attcompression = 'l' AND NOT a.attisdropped
UNION ALL
SELECT 'configuration table', n.nspname, c.relname,
       x.extname || '|' || coalesce(x.extcondition[array_position(x.extconfig, c.oid)], '')
  FROM pg_extension x JOIN pg_class c ON c.oid = ANY (x.extconfig) JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r'
UNION ALL
SELECT CASE t.tgenabled WHEN 'A' THEN 'always trigger' WHEN 'R' THEN 'replica trigger' ELSE 'trigger' END, r.nspname, r.relname, t.tgname
  FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
 WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'D'
UNION ALL
SELECT 'deferrable constraint', r.nspname, r.relname, k.conname
  FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
 WHERE k.condeferrable AND k.conparentid = 0 AND k.contype <> 't'
UNION ALL
SELECT 'event trigger', '', e.evtname, e.evtenabled::text
  FROM pg_event_trigger e
 WHERE NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid
                      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
UNION ALL
SELECT 'publication', '', p.pubname, '' FROM pg_publication p WHERE p.pubname !~ '^martlet_'
UNION ALL
SELECT 'tablespace', '', t.spcname, ''
  FROM pg_tablespace t WHERE t.oid IN (SELECT reltablespace FROM relation) AND t.spcname !~ '^pg_'
UNION ALL
SELECT 'collation', '', l.collname, ''
  FROM pg_collation l
 WHERE l.collnamespace = 'pg_catalog'::regnamespace AND l.collname NOT IN ('default', 'C', 'POSIX')
   AND l.oid IN (SELECT a.attcollation FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid WHERE NOT a.attisdropped)
UNION ALL
SELECT 'ICU collation', n.nspname, l.collname, ''
  FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
 WHERE l.collprovider = 'i' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_collation'::regclass AND d.objid = l.oid
                      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
UNION ALL
SELECT 'unreadable', r.nspname, r.relname, r.relkind::text
  FROM relation r
 WHERE r.relkind IN ('r', 'p', 'S') AND r.relpersistence <> 't'
   AND NOT (CASE WHEN r.relkind = 'S' THEN has_sequence_privilege(r.oid, 'SELECT')
                 ELSE has_table_privilege(r.oid, 'SELECT') END
            AND has_schema_privilege(r.relnamespace, 'USAGE'))
UNION ALL
-- By a superuser's DISABLE TRIGGER ALL on one of the two tables.
SELECT 'partly enforced foreign key', r.nspname, r.relname, k.conname
  FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f' AND k.conparentid = 0
 WHERE (SELECT count(DISTINCT t.tgenabled IN ('O', 'A')) FROM pg_trigger t WHERE t.tgconstraint = k.oid) > 1
UNION ALL
-- The view hides options from whoever neither owns the server nor is the user; some have none.
SELECT 'user mapping', '', m.srvname, m.usename
  FROM pg_user_mappings m
 WHERE m.umoptions IS NULL AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
UNION ALL
-- Only since PostgreSQL 19 does pg_read_all_data count here.
SELECT 'unreadable large objects', '', pg_get_userbyid(m.lomowner), count(*)::text
  FROM pg_largeobject_metadata m
 WHERE NOT pg_has_role(m.lomowner, 'USAGE') AND NOT current_setting('lo_compat_privileges')::bool
   AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) AS a
                    WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
 GROUP BY m.lomowner
UNION ALL
SELECT 'large objects', '', count(*)::text, pg_total_relation_size('pg_catalog.pg_largeobject')::text
  FROM pg_largeobject_metadata
UNION ALL
SELECT 'unreadable pg_largeobject', '', '', ''
 WHERE NOT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')
 ORDER BY 1, 2, 3, 4
