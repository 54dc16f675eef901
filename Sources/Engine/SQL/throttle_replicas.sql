-- Where does the log end, and how far has each physical replica replayed it? One row without a name when there is none. (14+)
-- What only receives (pg_receivewal, a base backup) replays nothing, and logical replication has slots of its kind.
SELECT log.lsn AS log_end, r.replay_lsn, extract(epoch FROM r.replay_lag)::float8 AS reported,
       format('"%s"%s', r.application_name, ' at ' || host(r.client_addr)) AS name
  FROM (SELECT pg_current_wal_flush_lsn() AS lsn) AS log
  LEFT JOIN pg_stat_replication AS r
    ON r.replay_lsn IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_replication_slots AS s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
