-- Which tables, with which columns and rows, and which whole schemas do publications publish? (15+)
SELECT 'pg_publication_rel'::regclass AS catalog, r.oid, 'pg_publication ' || quote_ident(p.pubname) AS parent,
       'publication relation' AS kind,
       format('%I.%I in publication %I', n.nspname, c.relname, p.pubname) AS name,
       jsonb_build_object(
         'columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs)),
         'filter', pg_get_expr(r.prqual, r.prrelid)) AS properties
  FROM pg_publication p
  JOIN pg_publication_rel r ON r.prpubid = p.oid
  JOIN pg_class c ON c.oid = r.prrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE p.pubname !~ '^martlet_'
UNION ALL
SELECT 'pg_publication_namespace'::regclass, m.oid, 'pg_publication ' || quote_ident(p.pubname), 'publication namespace',
       format('%I in publication %I', n.nspname, p.pubname), '{}'::jsonb
  FROM pg_publication p
  JOIN pg_publication_namespace m ON m.pnpubid = p.oid
  JOIN pg_namespace n ON n.oid = m.pnnspid
 WHERE p.pubname !~ '^martlet_'
