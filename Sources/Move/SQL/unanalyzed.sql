-- Of which relations has the load gathered no statistics? (14+)
-- $1: whether the server can analyze a partitioned table without its partitions (18).
SELECT n.nspname, c.relname, CASE WHEN $1 AND c.relkind = 'p' THEN 'ONLY ' ELSE '' END AS only
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND (c.relkind = 'p' AND ($1 OR NOT c.relispartition)
        OR c.relkind = 'm' AND c.relispopulated
        -- A parent before its children were loaded, and a table before the statistics object was there.
        OR c.relkind = 'r' AND (EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = c.oid)
                                OR EXISTS (SELECT FROM pg_statistic_ext AS s WHERE s.stxrelid = c.oid)))
 ORDER BY n.nspname, c.relname
