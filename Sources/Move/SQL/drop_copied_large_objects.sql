-- Removes up to 500 of the large objects that a move brought, and tells how many; each takes a lock that is kept until the end. (14+)
SELECT count(lo_unlink(o.oid)) AS removed
  FROM (SELECT m.oid FROM pg_largeobject_metadata m
         WHERE NOT EXISTS (SELECT FROM martlet.before b
                            WHERE b.catalog = 'pg_largeobject_metadata'::regclass AND b.oid = m.oid)
         ORDER BY m.oid
         LIMIT 500) AS o
