-- Which schemas do publications publish as a whole? (15+)
SELECT 'pg_publication_namespace'::regclass AS catalog, m.oid, 'pg_publication ' || quote_ident(p.pubname) AS parent,
       'publication namespace' AS kind,
       format('%I in publication %I', n.nspname, p.pubname) AS name, '{}'::jsonb AS properties
  FROM pg_publication p
  JOIN pg_publication_namespace m ON m.pnpubid = p.oid
  JOIN pg_namespace n ON n.oid = m.pnnspid
 WHERE p.pubname !~ '^martlet_'
