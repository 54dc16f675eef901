-- What is this server, which of its limits matter for a move, and who are we on it? (14+)
SELECT current_setting('server_version_num')::int AS version,
       current_setting('server_version') AS version_text,
       d.datname AS database,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       pg_postmaster_start_time()::text AS started,
       pg_backend_pid() AS backend_pid,
       pg_is_in_recovery() AS is_standby,
       pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate,
       d.datctype AS ctype,
       -- Columns that newer versions brought are read by way of JSON: a missing one is null.
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS locale_provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       to_jsonb(d) ->> 'datcollversion' AS collation_version,
       pg_database_size(d.oid) AS bytes,
       -- Hidden from those who may not see all settings, by leaving the row out.
       (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory,
       current_setting('wal_level') AS wal_level,
       current_setting('max_replication_slots')::int AS max_slots,
       (SELECT count(*) FROM pg_replication_slots) AS used_slots,
       current_setting('max_wal_senders')::int AS max_senders,
       (SELECT count(*) FROM pg_stat_replication) AS used_senders,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS slot_keep_megabytes,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'max_wal_size') AS max_wal_megabytes,
       coalesce((SELECT setting FROM pg_settings WHERE name = 'idle_replication_slot_timeout'), '0') AS idle_slot_timeout,
       current_setting('wal_compression') AS wal_compression,
       current_setting('logical_decoding_work_mem') AS decoding_memory,
       (SELECT coalesce(sum(spill_txns), 0)::bigint FROM pg_stat_replication_slots) AS spilled_transactions,
       (SELECT coalesce(sum(spill_bytes), 0)::bigint FROM pg_stat_replication_slots) AS spilled_bytes,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.backend_type = 'client backend' AND a.state = 'active'
           AND a.pid <> pg_backend_pid() AND a.application_name NOT LIKE 'martlet%') AS busy_sessions,
       current_setting('max_locks_per_transaction')::int AS locks_per_session,
       -- The size of the lock table (NLOCKENTS, MaxBackends).
       current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int
         + current_setting('autovacuum_max_workers')::int + current_setting('max_worker_processes')::int
         + current_setting('max_wal_senders')::int + 1 AS lock_sessions,
       (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') AS has_lz4,
       current_setting('max_connections')::int
         - CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
                  + coalesce(current_setting('reserved_connections', true), '0')::int END AS max_connections,
       (SELECT coalesce(sum(s.numbackends), 0) FROM pg_stat_database s) AS used_connections,
       d.datconnlimit AS database_connection_limit,
       (SELECT s.numbackends FROM pg_stat_database s WHERE s.datid = d.oid) AS database_connections,
       r.rolconnlimit AS role_connection_limit,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = current_user AND a.backend_type = 'client backend')
         AS role_connections,
       current_user AS role,
       r.rolsuper AS is_superuser,
       r.rolbypassrls OR r.rolsuper AS bypasses_row_security,
       has_database_privilege(d.oid, 'CREATE') AS can_create,
       current_setting('ssl')::bool AS takes_tls
  FROM pg_database d, pg_roles r
 WHERE d.datname = current_database() AND r.rolname = current_user
