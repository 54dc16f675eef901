-- generate_checks
-- What must be true of the rows of some tables: checks of the table, of the domains of its columns, of its partitions. (14+)
-- $1: OIDs of the tables.
WITH RECURSIVE domain AS (
    SELECT a.attrelid, a.attnum, a.atttypid AS type
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype = 'd'
    UNION ALL
    SELECT d.attrelid, d.attnum, t.typbasetype
      FROM domain d JOIN pg_type t ON t.oid = d.type JOIN pg_type b ON b.oid = t.typbasetype
     WHERE b.typtype = 'd'
)
SELECT c.conrelid AS table, c.conname AS name, 'table' AS kind, c.conkey AS columns,
       pg_get_expr(c.conbin, c.conrelid) AS expression
  FROM pg_constraint c
 WHERE c.contype = 'c' AND c.conrelid = ANY ($1::oid[])
UNION ALL
SELECT d.attrelid, c.conname, 'domain', ARRAY[d.attnum], pg_get_expr(c.conbin, 0)
  FROM domain d JOIN pg_constraint c ON c.contypid = d.type AND c.contype = 'c'
UNION ALL
SELECT r.oid, p.relid::regclass::text, 'partition',
       -- Of an expression the columns are not told here; whoever asks takes all of them then.
       (SELECT array_agg(DISTINCT k.attribute) FROM pg_partition_tree(r.oid) t
          JOIN pg_partitioned_table k0 ON k0.partrelid = t.relid
         CROSS JOIN LATERAL unnest(k0.partattrs::int2[]) AS k (attribute)),
       -- Of a default partition without others it is NULL: it takes all rows.
       coalesce(pg_get_partition_constraintdef(p.relid), 'true')
  FROM unnest($1::oid[]) AS r (oid)
  JOIN pg_class c ON c.oid = r.oid AND c.relkind = 'p'
 CROSS JOIN LATERAL pg_partition_tree(r.oid) AS p
 WHERE p.isleaf AND p.level > 0
 ORDER BY 1, 3, 2
