-- Makes pgbench's tables of :rows / 100,000 branches, one at least, unless they are there. PostgreSQL 14 or later.
CREATE TABLE IF NOT EXISTS pgbench_branches (bid integer PRIMARY KEY, bbalance integer, filler char(88)) WITH (fillfactor = 100);
CREATE TABLE IF NOT EXISTS pgbench_tellers (tid integer PRIMARY KEY, bid integer, tbalance integer, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE IF NOT EXISTS pgbench_accounts (aid integer PRIMARY KEY, bid integer, abalance integer, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE IF NOT EXISTS pgbench_history (tid integer, bid integer, aid integer, delta integer, mtime timestamp, filler char(22));
INSERT INTO pgbench_accounts (aid, bid, abalance, filler)
SELECT n, (n - 1) / 100000 + 1, 0, '' FROM generate_series(1, greatest(1, :rows / 100000) * 100000) AS n
 WHERE NOT EXISTS (SELECT FROM pgbench_branches);
INSERT INTO pgbench_tellers (tid, bid, tbalance)
SELECT n, (n - 1) / 10 + 1, 0 FROM generate_series(1, greatest(1, :rows / 100000) * 10) AS n
 WHERE NOT EXISTS (SELECT FROM pgbench_branches);
INSERT INTO pgbench_branches (bid, bbalance)
SELECT n, 0 FROM generate_series(1, greatest(1, :rows / 100000)) AS n
 WHERE NOT EXISTS (SELECT FROM pgbench_branches);
ANALYZE pgbench_accounts; ANALYZE pgbench_tellers; ANALYZE pgbench_branches;
