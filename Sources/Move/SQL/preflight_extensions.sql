-- Which extensions are installed here, or could be? (14+)
SELECT a.name,
       x.extversion AS installed,
       x.extnamespace::regnamespace::text AS schema,
       a.default_version AS available,
       coalesce(v.superuser AND NOT v.trusted, false) AS needs_superuser
  FROM pg_available_extensions a
  LEFT JOIN pg_extension x ON x.extname = a.name
  LEFT JOIN pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
UNION ALL
SELECT x.extname, x.extversion, x.extnamespace::regnamespace::text, NULL, false
  FROM pg_extension x
 WHERE x.extname NOT IN (SELECT name FROM pg_available_extensions)
 ORDER BY 1
