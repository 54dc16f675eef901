-- Which foreign keys are declared (those that partitions inherit left out), and how? (14+)
SELECT con.oid,
       con.conname AS name,
       con.conrelid AS table,
       con.confrelid AS referenced,
       con.conkey AS columns,
       con.confkey AS referenced_columns,
       con.convalidated AS is_valid,
       pg_get_constraintdef(con.oid) AS definition
  FROM pg_constraint con
  JOIN pg_class c ON c.oid = con.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE con.contype = 'f' AND con.conparentid = 0
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
 ORDER BY con.conrelid, con.conname
