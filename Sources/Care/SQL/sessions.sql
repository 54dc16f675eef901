-- Sessions of clients and of whoever blocks them, with their state and what they wait for. (14+)
-- $1: only those of this database; NULL for all of the server.
WITH session AS (
    SELECT pid, usename, datname, application_name, backend_type, state, query,
           coalesce(host(client_addr), CASE WHEN backend_type IN ('client backend', 'walsender') THEN 'local' END) AS client,
           wait_event_type, wait_event, xact_start, state_change, query_start, backend_start,
           -- It locks the table of locks, so those who wait for none are not asked about.
           CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) ELSE '{}' END AS blockers
      FROM pg_stat_activity WHERE pid <> pg_backend_pid()
)
SELECT pid, coalesce(usename, '') AS usename, coalesce(datname, '') AS datname,
       coalesce(application_name, '') AS application_name, coalesce(backend_type, 'hidden') AS backend_type, coalesce(state, '') AS state,
       coalesce(client, '') AS client, wait_event_type, wait_event, blockers::text AS blockers,
       coalesce(query, '') AS query,
       coalesce(extract(epoch FROM clock_timestamp() - backend_start), 0)::float8 AS session_seconds,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_seconds,
       extract(epoch FROM clock_timestamp() - CASE WHEN state = 'active' THEN query_start ELSE state_change END)::float8
           AS state_seconds
  FROM session
 -- Of other users nothing but the process is told to who may not read all statistics.
 WHERE ((backend_type IN ('client backend', 'walsender') OR backend_type IS NULL) AND ($1::text IS NULL OR datname = $1))
    OR pid IN (SELECT unnest(blockers) FROM session WHERE $1::text IS NULL OR datname = $1)
 ORDER BY xact_start NULLS LAST, backend_start, pid
