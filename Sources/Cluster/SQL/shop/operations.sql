-- Lists the writers' operations, each a function shop_app.<name>(seed bigint), and how often each runs. PostgreSQL 14 or later.
-- Not listed: shop_app.truncate_scratch (TRUNCATE) and shop_app.read_something (readers).
SELECT name, weight
FROM (VALUES
    ('place_order', 25),
    ('pay_order', 15),
    ('ship_order', 12),
    ('cancel_order', 5),
    ('edit_document', 10),
    ('rename_customer', 6),
    ('change_key', 5),
    ('log_event', 10),
    ('touch_inventory', 5),
    ('full_identity', 3),
    ('weird', 2),
    ('bulk', 1),
    ('rollback_some', 2)
) AS operation (name, weight)
