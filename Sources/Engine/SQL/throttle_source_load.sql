-- How many sessions of others are at work on the whole server? (14+)
SELECT count(*) AS active FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND state IN ('active', 'fastpath function call')
   AND pid <> pg_backend_pid() AND application_name NOT LIKE 'martlet%'
