-- name: insert_order, weight: 10, rows: 1
INSERT INTO orders (customer, product, quantity, price)
VALUES ('customer ' || $1::bigint % 10000,
        (ARRAY['apple', 'bread', 'cheese', 'lemon', 'pepper', 'walnut'])[1 + $2::bigint % 6],
        1 + $1::bigint % 9,
        1 + $2::bigint % 9900 / 100.0);

-- name: advance_order, weight: 5
UPDATE orders
   SET status = CASE status WHEN 'new' THEN 'paid' ELSE 'shipped' END
 WHERE id = (SELECT max(id) - $1::bigint % 1000 FROM orders) AND status <> 'shipped';

-- name: read_order, weight: 20, reads
SELECT * FROM orders WHERE id = 1 + $1::bigint % (SELECT greatest(max(id), 1) FROM orders);

-- name: recent_orders, weight: 5, reads
SELECT * FROM orders ORDER BY created_at DESC LIMIT 20;

-- name: report, weight: 1, reads
SELECT status, count(*) AS orders, sum(quantity * price) AS turnover
  FROM orders
 WHERE created_at > now() - interval '1 minute'
 GROUP BY status
 ORDER BY status;
