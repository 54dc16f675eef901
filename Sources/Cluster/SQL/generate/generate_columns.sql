-- generate_columns
-- What may stand in each column of some tables: its type down to what domains stand on, its labels, who fills it. (14+)
-- $1: OIDs of the tables.
WITH RECURSIVE step AS (
    SELECT a.attrelid, a.attnum, a.atttypid AS type, a.atttypmod AS modifier, a.attnotnull AS is_not_null, 0 AS depth
      FROM pg_attribute a
     WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT s.attrelid, s.attnum, t.typbasetype, t.typtypmod, s.is_not_null OR t.typnotnull, s.depth + 1
      FROM step s JOIN pg_type t ON t.oid = s.type
     WHERE t.typtype = 'd'
), base AS (
    SELECT DISTINCT ON (attrelid, attnum) * FROM step ORDER BY attrelid, attnum, depth DESC
)
SELECT a.attrelid AS table,
       a.attnum AS number,
       a.attname AS name,
       format_type(b.type, b.modifier) AS plain_type,
       -- The default one is that of the database, which every column has that says nothing.
       cn.nspname AS collation_schema,
       c.collname AS collation,
       b.is_not_null,
       a.attgenerated <> '' AS is_generated,
       -- The server has a sequence for it, or an identity.
       a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false) AS is_numbered,
       d.oid IS NOT NULL AS has_default,
       coalesce(e.typname, t.typname) AS type,
       coalesce(e.typtype, t.typtype) AS kind,
       e.oid IS NOT NULL AS is_array,
       b.modifier,
       coalesce(r.typname, '') AS bound,
       coalesce((SELECT array_agg(l.enumlabel ORDER BY l.enumsortorder)
                   FROM pg_enum l WHERE l.enumtypid = coalesce(e.oid, t.oid)), '{}') AS labels
  FROM base b
  JOIN pg_attribute a ON a.attrelid = b.attrelid AND a.attnum = b.attnum
  JOIN pg_type t ON t.oid = b.type
  LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
  LEFT JOIN pg_range g ON coalesce(e.oid, t.oid) IN (g.rngtypid, g.rngmultitypid)
  LEFT JOIN pg_type r ON r.oid = g.rngsubtype
  LEFT JOIN pg_collation c ON c.oid = a.attcollation AND c.collname <> 'default'
  LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
 ORDER BY a.attrelid, a.attnum
