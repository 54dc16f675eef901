-- Where does every user sequence stand? (14+)
SELECT n.nspname AS schema,
       c.relname AS name,
       s.seqstart AS start,
       s.seqincrement AS increment,
       s.seqmin AS minimum,
       s.seqmax AS maximum,
       s.seqcycle AS is_cycle,
       pg_sequence_last_value(c.oid) AS last_value,
       d.refobjid AS owner_table,
       d.refobjsubid AS owner_column
  FROM pg_sequence s
  JOIN pg_class c ON c.oid = s.seqrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
                      AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e')
 ORDER BY n.nspname, c.relname
