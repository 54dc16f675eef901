-- Which large objects are there, how long is each, and which statements give it its rights ($2) and comment? (14+)
-- Its owner, as it is written in a statement, only if owners count ($1). Grantors are left out, as pg_dump does. Of those
-- of $3 alone, unless that is NULL.
SELECT m.oid,
       length.bytes,
       CASE WHEN $1::bool THEN quote_ident(pg_get_userbyid(m.lomowner)) END AS owner,
       concat_ws('; ',
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
                     || quote_literal(obj_description(m.oid, 'pg_largeobject'))) AS properties,
       obj_description(m.oid, 'pg_largeobject') IS NOT NULL AS is_described
  FROM pg_largeobject_metadata m
 -- The volatile functions keep the planner from doing any of these twice. Every file has the same number, as the one before
 -- is closed, and Memoize would remember its length: so each asks for m.oid, too.
 CROSS JOIN LATERAL (SELECT lo_open(m.oid, x'40000'::int) AS file) AS opened
 CROSS JOIN LATERAL (SELECT lo_lseek64(opened.file, 0, 2) + m.oid::bigint * 0 AS bytes) AS length
 CROSS JOIN LATERAL (SELECT lo_close(opened.file) + (length.bytes + m.oid::bigint) * 0 AS done) AS closed
 WHERE closed.done = 0
   AND ($3::oid[] IS NULL OR m.oid = ANY ($3::oid[]))
 ORDER BY m.oid
