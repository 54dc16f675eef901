-- Which foreign keys that are enforced begin or end at the tables in $1, how are they declared, and to which partitions do they apply? (14+)
-- To be asked with a search_path that has no schema of the user in it, so that definitions name the schemas of tables.
WITH leaf AS (
    SELECT p.oid AS root, l.oid, ln.nspname AS schema, l.relname AS name
      FROM pg_class p CROSS JOIN LATERAL pg_partition_tree(p.oid) AS t
      JOIN pg_class l ON l.oid = t.relid JOIN pg_namespace ln ON ln.oid = l.relnamespace
     WHERE p.relkind = 'p' AND l.relkind = 'r'
)
SELECT n.nspname AS schema,
       c.relname AS "table",
       k.conname AS name,
       format('%I.%I', rn.nspname, r.relname) AS referenced,
       regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') AS definition,
       k.convalidated AS is_valid,
       c.relkind = 'p' AS is_partitioned,
       ARRAY(SELECT l.schema FROM leaf AS l WHERE l.root = c.oid ORDER BY l.oid) AS leaf_schemas,
       ARRAY(SELECT l.name FROM leaf AS l WHERE l.root = c.oid ORDER BY l.oid) AS leaf_names,
       obj_description(k.oid, 'pg_constraint') AS comment
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = k.confrelid
  JOIN pg_namespace rn ON rn.oid = r.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0
   AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
   AND n.nspname <> 'martlet' AND pg_has_role(c.relowner, 'USAGE')
   -- A superuser may have disabled what enforces it, and only a superuser could do that again.
   AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled IN ('O', 'A'))
   -- Since PostgreSQL 18 a foreign key may be declared and not enforced; that one does nothing.
   AND coalesce((to_jsonb(k) ->> 'conenforced')::bool, true)
 ORDER BY 1, 2, 3
