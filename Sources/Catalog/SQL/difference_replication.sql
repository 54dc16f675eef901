-- Which publications with which members, and which subscriptions are there? Ours left out. (14+)
WITH publication AS (
    SELECT p.*, to_jsonb(p) AS facts FROM pg_publication p
     WHERE p.pubname !~ '^martlet_'
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_publication'::regclass AND e.objid = p.oid AND e.deptype = 'e')
)
SELECT 'pg_publication'::regclass AS catalog, p.oid, NULL::text AS parent, 'publication' AS kind, quote_ident(p.pubname) AS name,
       jsonb_build_object(
         'all tables', CASE WHEN p.puballtables THEN 'yes' END,
         'publish', concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                              CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
         'publish via partition root', CASE WHEN p.pubviaroot THEN 'yes' END,
         'publish generated columns', nullif(p.facts ->> 'pubgencols', 'n')) AS properties
  FROM publication p
UNION ALL
SELECT 'pg_publication_rel'::regclass, r.oid, 'pg_publication ' || quote_ident(p.pubname), 'publication relation',
       format('%I.%I in publication %I', n.nspname, c.relname, p.pubname),
       jsonb_build_object(
         'columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                       FROM pg_attribute a
                      WHERE a.attrelid = c.oid
                        AND to_jsonb(r) -> 'prattrs' @> to_jsonb(a.attnum)),
         'filter', pg_get_expr((to_jsonb(r) ->> 'prqual')::pg_node_tree, r.prrelid))
  FROM publication p
  JOIN pg_publication_rel r ON r.prpubid = p.oid
  JOIN pg_class c ON c.oid = r.prrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
UNION ALL
SELECT 'pg_subscription'::regclass, s.oid, NULL, 'subscription', quote_ident(s.subname),
       jsonb_build_object('publications', array_to_string(s.subpublications, ', '), 'enabled', s.subenabled::text,
                          'slot', s.subslotname, 'synchronous commit', s.subsynccommit)
  FROM pg_subscription s
 WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
