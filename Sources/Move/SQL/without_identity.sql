-- Tables whose UPDATE or DELETE fails, or comes without the old row: they are published, and nothing names their rows. (14+)
-- What is published as a change of the partitioned table has that one's identity, too.
SELECT DISTINCT c.oid::int8 AS oid, p.pubname AS publication
  FROM pg_publication p JOIN pg_publication_tables t ON t.pubname = p.pubname
  JOIN pg_namespace n ON n.nspname = t.schemaname
  JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = t.tablename
 CROSS JOIN LATERAL (SELECT r.oid
                     UNION SELECT relid FROM pg_partition_tree(r.oid) WHERE r.relkind = 'p' AND isleaf) AS one
  JOIN pg_class c ON c.oid = one.oid
 WHERE (p.pubupdate OR p.pubdelete) AND c.relreplident <> 'f'
   AND NOT EXISTS (SELECT FROM pg_index i
                    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                      AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary ELSE false END)
