-- copy_settings
-- Which settings of a server must or should a copy of it have? (14+)
-- A standby needs as many places as its primary has; what else was set in a file and means something to applications is kept.
SELECT name, current_setting(name) AS value
  FROM pg_settings
 WHERE name IN ('max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions',
                'max_locks_per_transaction')
    OR name IN ('shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries', 'wal_level')
       AND setting <> ''
    OR source = 'configuration file'
       AND name ~* '^(default_|datestyle|intervalstyle|timezone$|lc_monetary|lc_numeric|lc_time|search_path|bytea_output|xml|extra_float_digits|jit|enable_|random_page_cost|seq_page_cost|effective_|statement_timeout|lock_timeout|idle_|row_security|check_function_bodies|standard_conforming|transform_null|array_nulls|password_encryption|plpgsql\.|pg_trgm\.|track_)'
