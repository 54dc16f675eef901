-- Which large objects are there, and what do they hold? (14+)
SELECT m.oid, md5(lo_get(m.oid)) AS digest FROM pg_largeobject_metadata m ORDER BY m.oid
