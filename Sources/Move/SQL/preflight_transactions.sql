-- Which transactions that have written are open, and would be waited for when a slot is made? (14+)
-- Locks are shown to everyone; age and state of other people's sessions only to pg_read_all_stats.
SELECT l.pid,
       NULL AS gid,
       a.datname AS database,
       a.usename AS role,
       coalesce(a.application_name, '') AS application,
       a.state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
  FROM pg_locks l
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
   AND l.pid IS NOT NULL AND l.pid <> pg_backend_pid()
 GROUP BY 1, 2, 3, 4, 5, 6, 7
UNION ALL
SELECT NULL, p.gid, p.database, p.owner, '', 'prepared',
       extract(epoch FROM clock_timestamp() - p.prepared)::float8
  FROM pg_prepared_xacts p
 ORDER BY seconds DESC NULLS LAST
