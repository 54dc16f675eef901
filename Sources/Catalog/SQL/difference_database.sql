-- What is this database itself, and which settings do sessions in it begin with? (14+)
SELECT 'pg_database'::regclass AS catalog, d.oid, NULL::text AS parent, 'database' AS kind, '' AS name,
       jsonb_build_object(
         'encoding', pg_encoding_to_char(d.encoding),
         'collation', d.datcollate,
         'character classification', d.datctype,
         -- Columns that newer versions brought are read by way of JSON: a missing one is null.
         'locale provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
         'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
         'ICU rules', to_jsonb(d) ->> 'daticurules',
         'connection limit', nullif(d.datconnlimit, -1)::text) AS properties
  FROM pg_database d
 WHERE d.datname = current_database()
UNION ALL
SELECT 'pg_db_role_setting'::regclass, s.setrole, NULL, 'database setting',
       split_part(c, '=', 1) || CASE WHEN r.oid IS NULL THEN '' ELSE format(' for role %I', r.rolname) END,
       jsonb_build_object('value', substr(c, strpos(c, '=') + 1))
  FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c LEFT JOIN pg_roles r ON r.oid = s.setrole
 WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (s.setrole = 0 OR r.oid IS NOT NULL)
