-- Which indexes do the user tables have, how is each one made, and which constraint stands on it? (14+)
SELECT i.indexrelid AS oid,
       i.indrelid AS table,
       n.nspname AS schema,
       c.relname AS name,
       c.relkind = 'I' AS is_partitioned,
       p.inhparent AS parent,
       pg_get_indexdef(i.indexrelid) AS definition,
       i.indisprimary AS is_primary,
       i.indisunique AS is_unique,
       i.indimmediate AS is_immediate,
       i.indisvalid AS is_valid,
       i.indisclustered AS is_clustered,
       i.indisreplident AS is_replica_identity,
       i.indpred IS NULL AND i.indexprs IS NULL AS is_plain,
       (SELECT array_agg(k.attnum ORDER BY k.place)
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
         WHERE k.place <= i.indnkeyatts) AS key,
       coalesce((SELECT array_agg(format('OPERATOR(%I.%s)', s.nspname, o.oprname) ORDER BY k.place)
                   FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS k (class, place)
                   JOIN pg_opclass f ON f.oid = k.class
                   JOIN pg_amop a ON a.amopfamily = f.opcfamily AND a.amopstrategy = 3
                    AND a.amoplefttype = f.opcintype AND a.amoprighttype = f.opcintype
                   JOIN pg_operator o ON o.oid = a.amopopr
                   JOIN pg_namespace s ON s.oid = o.oprnamespace
                  WHERE i.indisunique AND k.place <= i.indnkeyatts
                    AND f.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree')), '{}') AS equality,
       CASE WHEN c.relkind = 'i' THEN pg_relation_size(c.oid) ELSE 0 END AS bytes,
       (SELECT spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace,
       con.oid AS constraint_oid,
       con.conname AS "constraint",
       con.contype AS constraint_kind,
       pg_get_constraintdef(con.oid) AS constraint_definition,
       con.condeferrable AS is_deferrable,
       con.condeferred AS is_deferred,
       (SELECT string_agg(format('ALTER COLUMN %s SET STATISTICS %s', s.attnum, s.attstattarget), ', ')
          FROM pg_attribute s
         WHERE s.attrelid = c.oid AND s.attnum > 0 AND s.attstattarget >= 0
           AND s.attstattarget IS NOT NULL) AS statistics
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = i.indrelid
  LEFT JOIN pg_inherits p ON p.inhrelid = i.indexrelid
  LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x') AND con.conrelid = i.indrelid
 WHERE t.relkind IN ('r', 'p')
   AND t.relpersistence IN ('p', 'u')
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid
                      AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
 ORDER BY i.indrelid, i.indexrelid
