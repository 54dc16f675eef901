-- Which other transactions have written, and have touched large objects of this database? (14+)
-- lo_put and its like keep a lock on pg_largeobject until the transaction ends, and so do lo_get and its like; lo_unlink and
-- COMMENT keep one on the object.
SELECT DISTINCT l.pid
  FROM pg_locks AS l
 WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.relation = 'pg_largeobject'::regclass AND l.mode = 'RowExclusiveLock' OR l.classid = 'pg_largeobject'::regclass)
   AND l.pid <> pg_backend_pid()
   AND EXISTS (SELECT FROM pg_locks AS x WHERE x.pid = l.pid AND x.locktype = 'transactionid' AND x.granted)
 ORDER BY l.pid
