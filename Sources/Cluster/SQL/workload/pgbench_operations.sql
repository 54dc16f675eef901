-- name: transfer, weight: 1, rows: 1
WITH place AS (
    SELECT count(*) AS branches FROM pgbench_branches
), account AS (
    UPDATE pgbench_accounts SET abalance = abalance + ($2::bigint % 10001 - 5000)::integer
     WHERE aid = (SELECT 1 + $1::bigint % (branches * 100000) FROM place)
 RETURNING aid
), teller AS (
    UPDATE pgbench_tellers SET tbalance = tbalance + ($2::bigint % 10001 - 5000)::integer
     WHERE tid = (SELECT 1 + $2::bigint % (branches * 10) FROM place)
 RETURNING tid, bid
), branch AS (
    UPDATE pgbench_branches SET bbalance = bbalance + ($2::bigint % 10001 - 5000)::integer
     WHERE bid = (SELECT bid FROM teller)
)
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
SELECT teller.tid, teller.bid, account.aid, ($2::bigint % 10001 - 5000)::integer, now() FROM account, teller;

-- name: balance, weight: 1, reads
SELECT abalance FROM pgbench_accounts
 WHERE aid = 1 + $1::bigint % (SELECT count(*) * 100000 FROM pgbench_branches);
