-- generate_keys
-- Which columns of some tables must differ from row to row, together? (14+)
-- $1: OIDs of the tables.
SELECT x.indrelid AS table,
       i.relname AS name,
       x.indisexclusion AS is_exclusion,
       -- A key with an expression stands for the columns in it; one with a predicate for all rows.
       0 = ANY (x.indkey::int2[]) AS has_expression,
       CASE WHEN 0 = ANY (x.indkey::int2[])
            THEN (SELECT array_agg(DISTINCT d.refobjsubid)
                    FROM pg_depend d
                   WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
                     AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid AND d.refobjsubid > 0)
            ELSE (SELECT array_agg(k.attribute ORDER BY k.place)
                    FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attribute, place)
                   WHERE k.place <= x.indnkeyatts) END AS columns,
       ARRAY(SELECT pg_get_indexdef(x.indexrelid, k.place, false) FROM generate_series(1, x.indnkeyatts) AS k (place)
              ORDER BY k.place) AS definitions,
       -- Of a constraint EXCLUDE its own; of a unique index those by which a B-tree finds equal values.
       ARRAY(SELECT format('OPERATOR(%I.%s)', s.nspname, o.oprname)
               FROM generate_series(1, x.indnkeyatts) AS k (place)
               LEFT JOIN pg_opclass f ON f.oid = (x.indclass::oid[])[k.place - 1]
               LEFT JOIN pg_amop a ON a.amopfamily = f.opcfamily AND a.amopstrategy = 3
                AND a.amoplefttype = f.opcintype AND a.amoprighttype = f.opcintype
               JOIN pg_operator o ON o.oid = coalesce(e.conexclop[k.place], a.amopopr)
               JOIN pg_namespace s ON s.oid = o.oprnamespace
              ORDER BY k.place) AS operators
  FROM pg_index x
  LEFT JOIN pg_constraint e ON e.conindid = x.indexrelid AND e.contype = 'x'
  JOIN pg_class i ON i.oid = x.indexrelid
 WHERE (x.indisunique OR x.indisexclusion) AND x.indrelid = ANY ($1::oid[])
 ORDER BY x.indrelid, x.indisprimary DESC, i.relname
