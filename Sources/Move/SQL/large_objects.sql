-- Which large objects are there, what do they hold, and which statements give each its owner ($1), rights ($2) and comment? (14+)
-- Read a mebibyte at a time: a large object may be longer than a value can be. Grantors are left out, as pg_dump does.
SELECT m.oid,
       length.bytes,
       (SELECT md5(string_agg(md5(lo_get(m.oid, page << 20, 1 << 20)), '' ORDER BY page))
          FROM generate_series(0, greatest(length.bytes - 1, 0) >> 20) AS page) AS digest,
       concat_ws('; ',
                 CASE WHEN $1::bool THEN format('ALTER LARGE OBJECT %s OWNER TO %I', m.oid, pg_get_userbyid(m.lomowner)) END,
                 CASE WHEN $2::bool AND m.lomacl IS NOT NULL THEN
                     format('REVOKE ALL ON LARGE OBJECT %s FROM %I', m.oid, pg_get_userbyid(m.lomowner)) END,
                 CASE WHEN $2::bool THEN
                     (SELECT string_agg(DISTINCT format('GRANT %s ON LARGE OBJECT %s TO %s%s', r.privilege_type, m.oid,
                                                        CASE WHEN r.grantee = 0 THEN 'PUBLIC'
                                                             ELSE quote_ident(pg_get_userbyid(r.grantee)) END,
                                                        CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                                        COLLATE "C", '; ')
                        FROM aclexplode(m.lomacl) AS r) END,
                 format('COMMENT ON LARGE OBJECT %s IS ', m.oid)
                     || quote_literal(obj_description(m.oid, 'pg_largeobject'))) AS properties
  FROM pg_largeobject_metadata m
 -- The volatile functions keep the planner from doing any of these twice.
 CROSS JOIN LATERAL (SELECT lo_open(m.oid, x'40000'::int) AS file) AS opened
 CROSS JOIN LATERAL (SELECT lo_lseek64(opened.file, 0, 2) AS bytes) AS length
 CROSS JOIN LATERAL (SELECT lo_close(opened.file) + length.bytes * 0 AS done) AS closed
 WHERE closed.done = 0
 ORDER BY m.oid
