-- Which roles may create in this database (no schema), and which in each schema that is there? (14+)
SELECT r.rolname AS role, NULL AS schema
  FROM pg_roles r WHERE has_database_privilege(r.oid, (SELECT oid FROM pg_database WHERE datname = current_database()), 'CREATE')
UNION ALL
SELECT r.rolname, n.nspname
  FROM pg_roles r CROSS JOIN pg_namespace n
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(r.oid, n.oid, 'CREATE')
