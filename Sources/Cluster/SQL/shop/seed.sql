-- Fills the demo shop with about 1 GB times :scale of data, the same data every time. PostgreSQL 14 or later.
--
-- Run it with `psql -v scale=0.05 -f seed.sql`, or replace the text of the variable by a number and send the file as it is.
-- Every value follows from a row number; times are counted in seconds from a fixed moment, so no time zone matters.

CREATE TEMPORARY TABLE seed_size AS SELECT
    greatest(40, 100000 * :scale)::integer AS customers,
    greatest(50, 20000 * :scale)::integer AS products,
    greatest(200, 700000 * :scale)::integer AS orders,
    greatest(20, 14000 * :scale)::integer AS documents,
    greatest(200, 580000 * :scale)::integer AS visits,
    timestamptz '2025-01-01 00:00+00' AS epoch;

INSERT INTO categories (id, parent_id, position, name)
SELECT n, CASE WHEN n > 1 THEN CASE WHEN n < 12 THEN 1 ELSE 2 + n % 10 END END, n, 'Category ' || n FROM generate_series(1, 60) n;

INSERT INTO products (id, sku, category_id, name, price, stock, channels, attributes, on_sale, updated_at)
SELECT n, 'SKU-' || lpad(n::text, 7, '0'), 1 + n % 60,
    (ARRAY['Green tea', 'Crème brûlée', 'Teapot "Ω"', '紅茶', 'Kettle'])[1 + n % 5] || ' ' || n,
    (199 + n * 37 % 9800) / 100.0, 1000000,
    CASE n % 4 WHEN 0 THEN '{}' WHEN 1 THEN '{web}' WHEN 2 THEN '{"phone, fax",store}' ELSE '{web,store,"phone, fax"}' END::channel[],
    jsonb_build_object('weight', n % 900, 'colour', (ARRAY['red', 'green', 'blue'])[1 + n % 3], 'dim', jsonb_build_array(n, n / 7.0, NULL)),
    CASE WHEN n % 3 = 0 THEN daterange(date '2025-01-01' + n % 90, CASE WHEN n % 2 = 0 THEN date '2025-05-01' END) END, epoch
FROM seed_size, generate_series(1, products) n;

INSERT INTO order_lines (order_id, line_no, product_id, quantity, unit_price, discount)
SELECT o, line, p.id, 1 + (o + line) % 4, p.price, o % 4 * 0.025
FROM seed_size, generate_series(1, orders) o, generate_series(1, 1 + o % 5) line, products p
WHERE p.id = 1 + (o::bigint * 7919 + line * 104729) % products;

INSERT INTO orders (id, invoice, customer_id, state, via, currency, total, till, placed_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT o, 1000 + 10 * (o - 1), 1 + hash % customers,
    CASE WHEN o % 20 < 2 THEN 'new' WHEN o % 20 < 4 THEN 'paid' WHEN o % 20 < 6 THEN 'shipped' ELSE 'delivered' END::order_state,
    (enum_range(NULL::channel))[1 + o % 3], (ARRAY['EUR', 'USD', 'GBP', 'JPY'])[1 + hash % customers % 4], l.total, 1 + o % 40,
    epoch + make_interval(secs => o::bigint * 16000000 / orders), epoch + make_interval(secs => o::bigint * 16000000 / orders)
FROM seed_size, (SELECT order_id AS o, order_id * 48271 % 2147483647 AS hash, sum(amount) AS total
                 FROM order_lines GROUP BY order_id ORDER BY order_id) l;

INSERT INTO payments (id, order_id, currency, amount, method, paid_at)
SELECT -id, id, currency, CASE WHEN state = 'new' THEN round(total / 4, 2) + 0.01 ELSE total END,
    CASE WHEN state = 'new' THEN 'deposit' WHEN id % 3 = 0 THEN 'transfer' ELSE 'card' END, placed_at + interval '90 seconds'
FROM orders WHERE state <> 'new' OR id % 3 > 0 ORDER BY id;
INSERT INTO payments (id, order_id, currency, amount, method, paid_at)
SELECT -orders - n, 20 * n - 1, 'EUR', 0, 'legacy', '2001-01-01 00:00+00' FROM seed_size, generate_series(1, 5) n;

INSERT INTO customers (id, email, name, address, tags, currency, balance, created_at, updated_at)
SELECT n, 'customer.' || n || '@shop.example', CASE WHEN n % 50 = 0 THEN E'O''Brien \\ "Zoë"\t' || n ELSE 'Customer ' || n END,
    CASE WHEN n % 7 > 0 THEN ROW(n % 200 || ' "High", Street', CASE WHEN n % 3 = 0 THEN '' ELSE 'Łódź' END, lpad(n::text, 6, '0'),
        CASE WHEN n % 5 > 0 THEN 'PL' END)::postal_address END,
    CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['vip', NULL, 'NULL'] ELSE ARRAY['a,b', '{c}', ''] END,
    (ARRAY['EUR', 'USD', 'GBP', 'JPY'])[1 + (n - 1) % 4], coalesce(p.paid, 0) - coalesce(b.billed, 0),
    epoch - make_interval(secs => n), epoch
FROM seed_size CROSS JOIN generate_series(1, customers) n
LEFT JOIN (SELECT customer_id, sum(total) AS billed FROM orders GROUP BY 1) b ON b.customer_id = n
LEFT JOIN (SELECT customer_id, sum(amount) AS paid FROM payments JOIN orders ON orders.id = order_id GROUP BY 1) p ON p.customer_id = n;

INSERT INTO audit_log (logged_at, entity, entity_id, action, detail)
SELECT placed_at, 'order', id, state::text, CASE WHEN id % 2 = 0 THEN jsonb_build_object('via', via, 'total', total) END
FROM orders ORDER BY id;

INSERT INTO documents (id, product_id, title, body, body_length, updated_at)
SELECT md5('document ' || n)::uuid, 1 + n % products, 'Manual ' || n, body, length(body), epoch
FROM (SELECT n, epoch, products, CASE WHEN n % 10 = 0 THEN 'Short text ' || n ELSE shop_app.noise(n, 110 + n % 80) END AS body
      FROM seed_size, generate_series(1, documents) n) d;

INSERT INTO events (occurred_at, visit, customer_id, kind, payload)
SELECT epoch + make_interval(secs => v::bigint * 16000000 / visits + 60 * step), v, CASE WHEN v % 4 = 0 THEN 1 + v % customers END,
    CASE step WHEN 0 THEN 'enter' ELSE 'leave' END,
    jsonb_build_object('page', '/p/' || v % 5000, 'agent', 'Browser/' || v % 17, 'cart', jsonb_build_array(v % 31, v % 7), 'step', step)
FROM seed_size, generate_series(1, visits) v, generate_series(0, 1) step;

INSERT INTO warehouses (id, name) VALUES (1, 'Main'), (2, 'Harbour'), (3, 'Empty');
INSERT INTO stock_moves (product_id, quantity, reason) SELECT id, stock, 'opening' FROM products ORDER BY id;
INSERT INTO coupons SELECT 'C-' || n, n % 100 + 0.50 FROM generate_series(1, 200) n;
INSERT INTO promotions
SELECT n, 'Promotion ' || n, tstzrange(epoch + make_interval(secs => n * 86400), epoch + make_interval(secs => (n + 1) * 86400))
FROM seed_size, generate_series(1, 12) n;
INSERT INTO exchange_rates SELECT 'X' || n, n / 7.0::double precision FROM generate_series(1, 30) n;
INSERT INTO shelf_counts
SELECT 'shelf ' || n % 40, CASE WHEN n % 9 > 0 THEN date '2025-01-01' + n % 9 END, sign * (n % 9), CASE WHEN n % 100 = 0
    THEN shop_app.noise(n, 100) END FROM generate_series(1, 400) n, unnest(ARRAY[1, 1, -1, -1]) sign;
INSERT INTO imports (row_count) SELECT 500 FROM generate_series(1, 10);
INSERT INTO import_rows SELECT b, n, 'line|' || n || '|' || md5(n::text) FROM generate_series(1, 10) b, generate_series(1, 500) n;
INSERT INTO staff_notes SELECT n, CASE n % 2 WHEN 0 THEN 'alice' ELSE 'bob' END, 'note ' || n FROM generate_series(1, 30) n;
INSERT INTO "Order"."weird ""table"" 🐦" ("left", "right", "a.b")
SELECT n % 101, 100 - n % 101, CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'NULL' END FROM generate_series(1, 200) n;
INSERT INTO scratch_parents (note) SELECT 'parent ' || n FROM generate_series(1, 10) n;
INSERT INTO scratch_children (parent_id) SELECT 1 + n % 10 FROM generate_series(1, 30) n;
INSERT INTO attachments SELECT n, 'scan ' || n || '.bin', lo_from_bytea(0, convert_to(shop_app.noise(n, 1150), 'UTF8'))
FROM generate_series(1, 3) n;

INSERT INTO curiosities VALUES
    (1, 'NaN', 'NaN', 'infinity', 'infinity', '-178000000 years', '', '\N', '', B'', '{}', '{}', '::1', '(0,-0)', '{"a":1,  "a":2}'),
    (2, '-0', 'Infinity', '-infinity', '-infinity', '1 mon -1 day 00:00:00.000001', 'a', '', '\x00ff5c', B'101', '[0:1]={1,2}',
        '{[1,3),[5,)}', '10.0.0.0/8', '(1e-300,1e300)', ' [ ] '),
    (3, '4.9e-324', 1e-1000, '4713-01-01 00:00+00 BC', '4713-01-01 BC', '0', 'b  ', E'\r\n\t\b\f\v\\.', '\x5c2e0a', B'0', '{{1,2},{3,NULL}}',
        '{(,)}', '2001:db8::/32', '(NaN,Infinity)', 'null'),
    (4, 0.1, 1e1000 + 0.5, '294276-12-31 23:59:59.999999+00', '5874897-12-31', '178000000 years', E'\u00e9', E'e\u0301 🐦 \u200d', '\x0a', B'1',
        '{NULL}', NULL, '1.2.3.4', '(0.1,0.2)', '"\u0041"'),
    (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

SELECT setval('categories_id_seq', 60), setval('products_id_seq', products), setval('orders_id_seq', orders),
    setval('customers_id_seq', customers), setval('payment_no', -orders - 5), setval('invoice_no', 1000 + 10 * orders),
    setval('visit_no', visits), setval('till_no', 40, false) FROM seed_size;
DROP TABLE seed_size;
REFRESH MATERIALIZED VIEW sales_by_month;
ANALYZE customers, categories, products, orders, order_lines, payments, documents, events, audit_log, warehouses, stock_moves,
    coupons, coupon_uses, promotions, exchange_rates, shelf_counts, imports, import_rows, attachments, staff_notes, curiosities,
    scratch_parents, scratch_children, sales_by_month, "Order"."weird ""table"" 🐦";
