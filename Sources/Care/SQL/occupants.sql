-- What keeps a database from being dropped. (14+)
-- $1: its name.
SELECT 'session' AS kind, pid::text AS name,
       concat_ws(', ', usename, nullif(application_name, ''), coalesce(host(client_addr), 'local'), state,
                 'since ' || to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS')) AS facts
  FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()
   -- DROP DATABASE ends those itself.
   AND backend_type IS DISTINCT FROM 'autovacuum worker'
UNION ALL
SELECT 'replication slot', slot_name, concat_ws(', ', plugin, CASE WHEN active THEN 'in use' END)
  FROM pg_replication_slots WHERE database = $1
UNION ALL
SELECT 'prepared transaction', gid, concat_ws(', ', owner, 'since ' || to_char(prepared, 'YYYY-MM-DD HH24:MI:SS'))
  FROM pg_prepared_xacts WHERE database = $1
UNION ALL
SELECT 'subscription', subname, CASE WHEN subenabled THEN 'enabled' ELSE 'disabled' END
  FROM pg_subscription JOIN pg_database AS d ON d.oid = subdbid WHERE datname = $1
 ORDER BY kind, name
