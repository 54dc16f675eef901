-- Which materialized views hold rows, in an order in which each can be refreshed? (14+)
WITH RECURSIVE views AS (
    SELECT c.oid, n.nspname AS schema, c.relname AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'martlet'
), uses AS (
    SELECT DISTINCT r.ev_class AS view, d.refobjid AS used
      FROM pg_rewrite r
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
), depth AS (
    SELECT oid AS view, oid AS reached, 0 AS level FROM views
    UNION
    SELECT depth.view, uses.used, depth.level + 1 FROM depth JOIN uses ON uses.view = depth.reached
)
SELECT v.oid, v.schema, v.name, max(d.level) FILTER (WHERE d.reached IN (SELECT oid FROM views)) AS level
  FROM views v JOIN depth d ON d.view = v.oid
 GROUP BY v.oid, v.schema, v.name
 ORDER BY level, v.schema, v.name
