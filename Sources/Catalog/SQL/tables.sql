-- Which user tables are there, with what decides how each one is moved? (14+)
SELECT c.oid,
       n.nspname AS schema,
       c.relname AS name,
       c.relkind AS kind,
       c.relpersistence AS persistence,
       c.relreplident AS replica_identity,
       c.reltype AS row_type,
       c.relispartition AS is_partition,
       p.inhparent AS parent,
       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       -- Whether another server may put a row into another partition: hashes of an enum are those of its OIDs; order and
       -- hash of text follow a collation; a function may answer otherwise.
       EXISTS (SELECT FROM pg_partitioned_table k
                 CROSS JOIN LATERAL unnest(k.partattrs::int2[], k.partcollation::oid[]) AS p (attribute, sorting)
                 LEFT JOIN pg_attribute a ON a.attrelid = k.partrelid AND a.attnum = p.attribute
                 LEFT JOIN pg_type t ON t.oid = a.atttypid
                WHERE k.partrelid = c.oid
                  AND (p.attribute = 0
                       OR k.partstrat = 'h' AND (t.typnamespace <> 'pg_catalog'::regnamespace OR t.typname ~ '^reg')
                       -- It is bytes that are hashed, which are others in another encoding; UTF8 is the one of most targets.
                       OR k.partstrat = 'h' AND p.sorting <> 0 AND getdatabaseencoding() <> 'UTF8'
                       OR k.partstrat = 'h'
                          AND EXISTS (SELECT FROM pg_collation l WHERE l.oid = p.sorting AND NOT l.collisdeterministic)
                       OR k.partstrat = 'r' AND p.sorting <> 0
                          AND NOT EXISTS (SELECT FROM pg_collation l
                                           WHERE l.oid = p.sorting AND l.collname IN ('C', 'POSIX')
                                             AND l.collnamespace = 'pg_catalog'::regnamespace)))
         AS is_placed_by_server,
       c.relrowsecurity AS has_row_security,
       CASE WHEN c.relkind = 'r'
            THEN (pg_relation_size(c.oid) + current_setting('block_size')::int - 1) / current_setting('block_size')::int
            ELSE 0 END AS pages,
       CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) ELSE 0 END AS bytes,
       greatest(c.reltuples, 0)::bigint AS estimated_rows,
       pg_get_userbyid(c.relowner) AS owner,
       pg_has_role(c.relowner, 'USAGE') AS is_ours
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_inherits p ON p.inhrelid = c.oid AND c.relispartition
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence IN ('p', 'u')
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname
