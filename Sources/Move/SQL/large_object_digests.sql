-- What do the large objects $1 hold, of $2 bytes each? (14+)
-- Read a mebibyte at a time: a large object may be longer than a value can be. Those that are gone by now are left out.
SELECT o.oid,
       (SELECT md5(string_agg(md5(lo_get(o.oid, page << 20, 1 << 20)), '' ORDER BY page))
          FROM generate_series(0, greatest(o.bytes - 1, 0) >> 20) AS page) AS digest
  FROM unnest($1::oid[], $2::bigint[]) AS o (oid, bytes)
  JOIN pg_largeobject_metadata AS m ON m.oid = o.oid
