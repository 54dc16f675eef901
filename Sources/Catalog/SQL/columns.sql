-- Which columns do the user tables have, in the order of their attribute numbers? (14+)
SELECT a.attrelid AS table,
       a.attnum AS number,
       a.attname AS name,
       a.atttypid AS type,
       format_type(a.atttypid, a.atttypmod) AS declared_type,
       -- A constraint that is NOT VALID (18) says nothing of the rows that are there.
       a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k
                                     WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated
                                       AND a.attnum = ANY (k.conkey)) AS is_not_null,
       a.attgenerated AS generated,
       a.attidentity AS identity
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND c.relkind IN ('r', 'p')
   AND c.relpersistence IN ('p', 'u')
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
 ORDER BY a.attrelid, a.attnum
