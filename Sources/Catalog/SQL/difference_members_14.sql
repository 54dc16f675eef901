-- Which tables do publications publish? (14)
SELECT 'pg_publication_rel'::regclass AS catalog, r.oid, 'pg_publication ' || quote_ident(p.pubname) AS parent,
       'publication relation' AS kind,
       format('%I.%I in publication %I', n.nspname, c.relname, p.pubname) AS name,
       '{}'::jsonb AS properties
  FROM pg_publication p
  JOIN pg_publication_rel r ON r.prpubid = p.oid
  JOIN pg_class c ON c.oid = r.prrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE p.pubname !~ '^martlet_'
