-- How much more log may the server write before slot $1 loses what it needs, and which transaction keeps it from moving on? (14+)
SELECT s.wal_status,
       s.safe_wal_size,
       (SELECT setting::bigint << 20 FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS limit_bytes,
       (SELECT format('pid %s, application "%s", %s for %s s', a.pid, a.application_name, a.state,
                      extract(epoch FROM clock_timestamp() - a.xact_start)::int)
          FROM pg_stat_activity a
         WHERE a.backend_xid IS NOT NULL AND a.xact_start < clock_timestamp() - interval '1 second'
         ORDER BY a.xact_start
         LIMIT 1) AS oldest
  FROM pg_replication_slots s
 WHERE s.slot_name = $1
