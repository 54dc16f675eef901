-- copy_source
-- What must be known of a server before its data directory is copied? (14+)
SELECT current_setting('server_version_num')::int / 10000 AS major,
       pg_is_in_recovery() AS is_recovering,
       -- NULL for a role that may not see it.
       (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory,
       (SELECT rolname FROM pg_roles WHERE oid = 10) AS superuser,
       (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user) AS may_replicate,
       (SELECT sum(pg_database_size(oid)) FROM pg_database WHERE has_database_privilege(oid, 'CONNECT'))::bigint AS bytes,
       current_setting('max_wal_senders')::int
         - (SELECT count(*) FROM pg_stat_replication)::int AS free_senders,
       current_setting('max_replication_slots')::int
         - (SELECT count(*) FROM pg_replication_slots)::int AS free_slots,
       current_setting('wal_level') AS wal_level,
       (SELECT system_identifier FROM pg_control_system())::text AS system
