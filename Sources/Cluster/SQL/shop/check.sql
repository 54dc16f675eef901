-- Asks what must be equal on source and target, and what must hold on each of them alone. PostgreSQL 14 or later.
-- Each statement returns one row. No answer depends on the time zone, the collation or the order of rows.

-- name: orders without lines (must be 0)
SELECT count(*) AS orders FROM orders o WHERE NOT EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.id);

-- name: orders whose total is not the sum of their lines (must be 0)
SELECT count(*) AS orders
FROM orders o LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM order_lines GROUP BY order_id) l ON l.order_id = o.id
WHERE o.total IS DISTINCT FROM l.amount;

-- name: lines and payments without their order (must be 0)
SELECT (SELECT count(*) FROM order_lines l WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = l.order_id))
    + (SELECT count(*) FROM payments p WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = p.order_id)) AS orphans;

-- name: customers whose balance is not paid minus ordered (must be 0)
SELECT count(*) AS customers
FROM customers c
LEFT JOIN (SELECT customer_id, sum(total) AS ordered FROM orders GROUP BY customer_id) o ON o.customer_id = c.id
LEFT JOIN (SELECT b.customer_id, sum(p.amount) AS paid FROM payments p JOIN orders b ON b.id = p.order_id GROUP BY b.customer_id) p
    ON p.customer_id = c.id
WHERE c.balance <> coalesce(p.paid, 0) - coalesce(o.ordered, 0);

-- name: products whose stock is not the sum of its movements (must be 0)
SELECT count(*) AS products
FROM products p LEFT JOIN (SELECT product_id, sum(quantity) AS stock FROM stock_moves GROUP BY product_id) m ON m.product_id = p.id
WHERE p.stock IS DISTINCT FROM m.stock;

-- name: warehouses whose counters differ from the movements (must be 0)
SELECT count(*) AS warehouses
FROM warehouses w
LEFT JOIN (SELECT warehouse_id, count(*) AS moves, sum(quantity) AS pieces FROM stock_moves GROUP BY warehouse_id) m ON m.warehouse_id = w.id
WHERE (w.moves, w.pieces) IS DISTINCT FROM (coalesce(m.moves, 0), coalesce(m.pieces, 0));

-- name: orders whose state is not the last one in the audit log (must be 0)
SELECT count(*) AS orders
FROM orders o
FULL JOIN (SELECT DISTINCT ON (entity_id) entity_id, action FROM audit_log WHERE entity = 'order' ORDER BY entity_id, id DESC) a
    ON a.entity_id = o.id
WHERE coalesce(o.state::text, 'deleted') IS DISTINCT FROM a.action;

-- name: visits without exactly two events (must be 0)
SELECT count(*) AS visits FROM (SELECT FROM events GROUP BY visit HAVING count(*) <> 2) v;

-- name: documents whose stored length is wrong (must be 0)
SELECT count(*) AS documents FROM documents WHERE body_length <> coalesce(length(body), 0);

-- name: coupons whose counter is not the number of uses (must be 0)
SELECT count(*) AS coupons
FROM coupons c LEFT JOIN (SELECT code, count(*) AS uses FROM coupon_uses GROUP BY code) u ON u.code = c.code
WHERE c.uses <> coalesce(u.uses, 0);

-- name: imports that lack rows or have too many (must be 0)
SELECT count(*) AS imports
FROM imports i FULL JOIN (SELECT import_id, count(*) AS row_count FROM import_rows GROUP BY import_id) r ON r.import_id = i.id
WHERE i.row_count IS DISTINCT FROM r.row_count;

-- name: sum of all shelf count changes (must be 0)
SELECT sum(change) AS change FROM shelf_counts;

-- name: rows of rolled back work (must be 0)
SELECT count(*) AS rows FROM audit_log WHERE action = 'rolled back';

-- name: emails used twice (must be 0)
SELECT count(*) - count(DISTINCT email) AS emails FROM customers;

-- name: sequences behind their columns (must be 0 once sequences are set)
SELECT ((SELECT max(id) FROM orders) > (SELECT last_value FROM orders_id_seq))::integer
    + ((SELECT max(id) FROM customers) > (SELECT last_value FROM customers_id_seq))::integer
    + ((SELECT max(id) FROM events) > (SELECT last_value FROM events_id_seq))::integer
    + ((SELECT max(visit) FROM events) > (SELECT last_value FROM visit_no))::integer
    + ((SELECT max(id) FROM audit_log) > (SELECT last_value FROM audit_log_id_seq))::integer
    + ((SELECT max(invoice) FROM orders) > (SELECT last_value FROM invoice_no))::integer
    + ((SELECT min(id) FROM payments) < (SELECT last_value FROM payment_no))::integer AS sequences;

-- name: customers
SELECT count(*) AS customers, max(id) AS last, sum(balance) AS balance, count(address) AS addresses, sum(cardinality(tags)) AS tags,
    sum(('x' || left(md5(id || email), 15))::bit(60)::bigint) AS emails
FROM customers;

-- name: orders by state
SELECT count(*) AS orders, max(id) AS last, sum(total) AS total, count(*) FILTER (WHERE state = 'new') AS new,
    count(*) FILTER (WHERE state = 'paid') AS paid, count(*) FILTER (WHERE state = 'shipped') AS shipped,
    count(*) FILTER (WHERE state = 'delivered') AS delivered, count(DISTINCT invoice) AS invoices
FROM orders;

-- name: times at which rows changed last
SELECT (SELECT sum(extract(epoch FROM updated_at)) FROM orders) AS orders, (SELECT sum(extract(epoch FROM updated_at)) FROM customers) AS customers,
    (SELECT sum(extract(epoch FROM updated_at)) FROM products) AS products,
    (SELECT sum(extract(epoch FROM updated_at)) FROM documents) AS documents;

-- name: order lines
SELECT count(*) AS lines, sum(amount) AS amount, sum(quantity) AS quantity, max(order_id) AS last FROM order_lines;

-- name: payments per currency
SELECT count(*) AS payments, min(id) AS last, sum(amount) FILTER (WHERE currency = 'EUR') AS eur,
    sum(amount) FILTER (WHERE currency = 'USD') AS usd, sum(amount) FILTER (WHERE currency = 'GBP') AS gbp,
    sum(amount) FILTER (WHERE currency = 'JPY') AS jpy
FROM payments;

-- name: products
SELECT count(*) AS products, sum(stock) AS stock, sum(price) AS price, sum(cardinality(channels)) AS channels, count(on_sale) AS on_sale,
    count(*) FILTER (WHERE search @@ to_tsquery('simple', 'tea')) AS tea
FROM products;

-- name: documents
SELECT count(*) AS documents, count(body) AS bodies, sum(views) AS views, sum(length(body)) AS characters,
    sum(('x' || left(md5(body), 15))::bit(60)::bigint) AS bodies_hash
FROM documents;

-- name: events per month
SELECT count(*) AS events, max(id) AS last, count(*) FILTER (WHERE tableoid = 'archive.events_2025_01'::regclass) AS january,
    count(*) FILTER (WHERE tableoid = 'events_2025_02'::regclass) AS february, count(*) FILTER (WHERE tableoid = 'events_2025_03'::regclass) AS march,
    count(*) FILTER (WHERE tableoid = 'events_2025_04'::regclass) AS april, count(*) FILTER (WHERE tableoid = 'events_2025_05'::regclass) AS may,
    count(*) FILTER (WHERE tableoid = 'events_default'::regclass) AS other, sum(('x' || left(md5(payload ->> 'page'), 15))::bit(60)::bigint) AS pages
FROM events;

-- name: audit log
SELECT count(*) AS entries, max(id) AS last, sum(entity_id::numeric) AS entities FROM audit_log;

-- name: small tables
SELECT (SELECT sum(('x' || left(md5(code || uses), 15))::bit(60)::bigint) FROM coupons) AS coupons, (SELECT count(*) FROM coupon_uses) AS coupon_uses,
    (SELECT sum(id * position) FROM categories) AS categories, (SELECT count(*) FROM promotions) AS promotions,
    (SELECT sum(id) FROM imports) AS imports, (SELECT count(*) FROM import_rows) AS import_rows,
    (SELECT count(*) FROM scratch_parents) AS scratch_parents, (SELECT max(id) FROM scratch_children) AS scratch_children,
    (SELECT sum(length(note)) FROM staff_notes) AS staff_notes, (SELECT count(*) FROM stock_moves) AS stock_moves;

-- name: exchange rates (no primary key)
SELECT count(*) AS rates, sum(('x' || left(md5(code || encode(float8send(per_euro), 'hex')), 15))::bit(60)::bigint) AS hash FROM exchange_rates;

-- name: shelf counts (no key, equal rows)
SELECT count(*) AS rows, sum(('x' || left(md5(concat_ws('|', shelf, counted_on - date '2025-01-01', change, coalesce(note, '-'))), 15))::bit(60)::bigint) AS hash
FROM shelf_counts;

-- name: the oddly named table
SELECT count(*) AS rows, max("select") AS last, sum("left") AS "left", sum("left" + "right") / nullif(count(*), 0) AS "always 100",
    count(nullif("a.b", '')) AS filled, count("a.b") AS not_null, sum(length("100% $1 'x'"::text)) AS json
FROM "Order"."weird ""table"" 🐦";

-- name: large objects
SELECT count(*) AS objects, sum(length(lo_get(m.oid))) AS bytes, md5(string_agg(md5(lo_get(m.oid)), '' ORDER BY a.id)) AS hash
FROM attachments a JOIN pg_largeobject_metadata m ON m.oid = a.content;

-- name: curious values
SELECT md5(string_agg(concat_ws('|', id, encode(float8send(double_value), 'hex'), encode(numeric_send(exact_value), 'hex'),
        encode(timestamptz_send(moment), 'hex'), encode(date_send(day), 'hex'), encode(interval_send(span), 'hex'), padded || '.',
        encode(convert_to(label, 'UTF8'), 'hex'), encode(bytes, 'hex'), bits, grid::text, ranges::text, address::text,
        encode(point_send(spot), 'hex'), raw_json::text), '/' ORDER BY id)) AS hash
FROM curiosities;
