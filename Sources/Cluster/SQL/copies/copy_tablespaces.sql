-- copy_tablespaces
-- Which folders outside of the data directory does a server have? (14+)
SELECT oid, spcname AS name, pg_tablespace_location(oid) AS location
  FROM pg_tablespace
 WHERE pg_tablespace_location(oid) <> ''
 ORDER BY spcname
