-- generate_references
-- Which columns of some tables refer to which columns of which tables? (14+)
-- $1: OIDs of the tables.
SELECT k.conrelid AS table, k.conname AS name, k.conkey AS columns, k.confkey AS referenced_columns,
       k.confrelid AS referenced, n.nspname AS schema, c.relname AS relation,
       ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS f (number, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = f.number
              ORDER BY f.place) AS referenced_names
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.confrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = ANY ($1::oid[])
 ORDER BY k.conrelid, k.conname
