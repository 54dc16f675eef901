-- Which publications and subscriptions are there? Ours left out. (14+)
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
SELECT 'pg_subscription'::regclass, s.oid, NULL, 'subscription', quote_ident(s.subname),
       jsonb_build_object('publications', array_to_string(s.subpublications, ', '), 'enabled', s.subenabled::text,
                          'slot', s.subslotname, 'synchronous commit', s.subsynccommit)
  FROM pg_subscription s
 WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
