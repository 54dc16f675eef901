-- Which types are there, and can each travel in binary form between servers? (14+)
SELECT t.oid,
       n.nspname AS schema,
       t.typname AS name,
       t.typtype AS kind,
       CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END AS element,
       t.typbasetype AS base,
       t.typnotnull OR EXISTS (SELECT FROM pg_constraint d WHERE d.contypid = t.oid AND d.contypid <> 0) AS is_constrained,
       coalesce(r.rngsubtype, m.rngsubtype, 0) AS subtype,
       t.typsend <> 0 AND t.typreceive <> 0 AS has_binary,
       coalesce((SELECT array_agg(a.atttypid ORDER BY a.attnum)
                   FROM pg_attribute a
                  WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
                '{}') AS fields
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
