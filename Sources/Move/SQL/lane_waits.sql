-- Which sessions keep the lanes of a stream waiting for a lock, for some seconds already? (14+)
SELECT DISTINCT format('%s waits for a lock on table %s; in the way is pid %s, application "%s", role "%s", %s',
                       a.application_name, coalesce(l.relation::regclass::text, '(a row of one)'), b.pid, b.application_name,
                       b.usename, coalesce(b.state, b.backend_type)) AS who
  FROM pg_stat_activity a
  JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
 CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS p (pid)
  JOIN pg_stat_activity b ON b.pid = p.pid
 WHERE a.datname = current_database() AND a.application_name LIKE 'martlet apply %'
   AND b.application_name NOT LIKE 'martlet %'
   AND a.query_start < clock_timestamp() - interval '3 seconds'
 ORDER BY 1
