-- Which large objects are not as they were before transaction $1, when there were those of $2, and those of $3 had a
-- comment? (14+)
-- Reads pg_largeobject once, in place: a fraction of the time of hashing what it holds. A frozen row so old that its
-- transaction's number has come round again may be among them, which does no harm.
WITH described AS (
    SELECT objoid AS oid, age(xmin) <= age($1::xid) AS is_new FROM pg_description WHERE classoid = 'pg_largeobject'::regclass
)
SELECT loid AS oid FROM pg_largeobject WHERE age(xmin) <= age($1::xid)
UNION
SELECT oid FROM pg_largeobject_metadata WHERE age(xmin) <= age($1::xid)
UNION
SELECT oid FROM described WHERE is_new
UNION
(SELECT unnest($2::oid[]) EXCEPT SELECT oid FROM pg_largeobject_metadata)
UNION
(SELECT unnest($3::oid[]) EXCEPT SELECT oid FROM described)
