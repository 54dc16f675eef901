-- Makes the table of the workload "orders" and puts :rows rows into it, unless it is there. PostgreSQL 14 or later.
DO $$
BEGIN
    IF obj_description(to_regclass('orders'), 'pg_class') IS DISTINCT FROM 'made by martlet workload'
       AND to_regclass('orders') IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table', MESSAGE = 'table "orders" was not made by martlet workload';
    END IF;
END
$$;
CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text NOT NULL,
    product text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    price numeric(10, 2) NOT NULL,
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'paid', 'shipped')),
    created_at timestamptz NOT NULL DEFAULT now()
);
DO $$
BEGIN
    IF obj_description('orders'::regclass, 'pg_class') IS NULL THEN
        COMMENT ON TABLE orders IS 'made by martlet workload';
    END IF;
END
$$;
CREATE INDEX IF NOT EXISTS orders_created_at_idx ON orders (created_at);
INSERT INTO orders (customer, product, quantity, price, status, created_at)
SELECT 'customer ' || n % 10000,
       (ARRAY['apple', 'bread', 'cheese', 'lemon', 'pepper', 'walnut'])[1 + n % 6],
       1 + n % 9,
       1 + n % 9900 / 100.0,
       (ARRAY['new', 'paid', 'shipped'])[1 + n % 3],
       now() - make_interval(secs => :rows - n)
  FROM generate_series(1, :rows) AS n
 WHERE NOT EXISTS (SELECT FROM orders);
ANALYZE orders;
