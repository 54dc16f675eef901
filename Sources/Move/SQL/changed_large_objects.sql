-- Which large objects were written to, were given other rights or another comment, or were dropped, since $1 was the oldest
-- transaction that ran, when there were those of $2, and those of $3 had a comment? (14+)
--
-- A row that was written since has an xmin from $1 on; an xmin has the last 32 bits of a transaction's number, also when the
-- row is frozen, and those of a subtransaction follow its parent's. Old rows whose number has come round again may be among
-- them, which does no harm; the age of those from half a round on is negative. Every write of a large object, lo_truncate
-- too, makes a row. Reads pg_largeobject once, in place, which takes a fraction of the time of hashing what it holds.
WITH described AS (
    SELECT objoid AS oid, age(xmin) BETWEEN 0 AND (SELECT age($1::xid)) AS is_new
      FROM pg_description WHERE classoid = 'pg_largeobject'::regclass
)
SELECT loid AS oid FROM pg_largeobject WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::xid))
UNION
SELECT oid FROM pg_largeobject_metadata WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::xid))
UNION
SELECT oid FROM described WHERE is_new
UNION
(SELECT unnest($2::oid[]) EXCEPT SELECT oid FROM pg_largeobject_metadata)
UNION
(SELECT unnest($3::oid[]) EXCEPT SELECT oid FROM described)
