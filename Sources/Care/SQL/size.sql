-- The largest tables of a database, with what belongs to them; partitions count for the table at their top. (14+)
SELECT n.nspname, c.relname, count(*) AS parts, sum(pg_table_size(p.oid) - coalesce(pg_total_relation_size(p.reltoastrelid), 0))::bigint AS heap,
       sum(pg_indexes_size(p.oid))::bigint AS indexes, sum(coalesce(pg_total_relation_size(p.reltoastrelid), 0))::bigint AS toast,
       sum(pg_total_relation_size(p.oid))::bigint AS total, -- NULL when a part was never analyzed.
       CASE WHEN min(p.reltuples) >= 0 THEN sum(p.reltuples)::bigint END AS rows
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_class AS p ON coalesce(pg_partition_root(p.oid), p.oid) = c.oid AND p.relkind IN ('r', 'm')
 WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
 GROUP BY n.nspname, c.relname
 ORDER BY total DESC, n.nspname, c.relname
