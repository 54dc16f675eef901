-- Which triggers and rules of the tables in $1 are in one of the states in $2 (see tgenabled), those of partitions before those of their parents? (14+)
SELECT n.nspname AS schema, c.relname AS "table", t.tgname AS name, 'TRIGGER' AS kind, t.tgenabled AS enabled,
       t.tgparentid <> 0 AS is_part
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgenabled = ANY ($2::"char"[]) AND c.oid = ANY ($1::oid[]) AND t.tgname <> 'martlet_fence'
   -- Before PostgreSQL 15 those that partitions have from their parents count as internal.
   AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
UNION ALL
SELECT n.nspname, c.relname, w.rulename, 'RULE', w.ev_enabled, false
  FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE w.ev_enabled = ANY ($2::"char"[]) AND c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'p')
 ORDER BY 6 DESC, 1, 2, 3
