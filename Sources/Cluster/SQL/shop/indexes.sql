-- Adds the demo shop's secondary indexes, foreign keys and triggers, after seed.sql. PostgreSQL 14 or later.

CREATE INDEX customers_lower_name_idx ON customers (lower(name));
CREATE INDEX products_category_idx ON products (category_id);
CREATE INDEX products_search_idx ON products USING gin (search);
CREATE INDEX products_on_sale_idx ON products USING gist (on_sale);
CREATE INDEX orders_customer_idx ON orders (customer_id) INCLUDE (total);
CREATE INDEX orders_open_idx ON orders (id) WHERE state IN ('new', 'paid');
CREATE UNIQUE INDEX orders_invoice_idx ON orders (invoice DESC);
CREATE INDEX order_lines_product_idx ON order_lines (product_id);
CREATE INDEX payments_order_idx ON payments (order_id);
CREATE INDEX documents_product_idx ON documents (product_id, (left(title, 10)));
CREATE INDEX events_visit_idx ON events (visit);
CREATE INDEX events_payload_idx ON events USING gin (payload jsonb_path_ops);
CREATE INDEX audit_log_logged_at_idx ON audit_log USING brin (logged_at);
CREATE INDEX stock_moves_product_idx ON stock_moves (product_id);
CREATE INDEX "weird ""index"" 🐦" ON "Order"."weird ""table"" 🐦" ("Camel Case" DESC NULLS LAST) WHERE "a.b" IS NULL;
CREATE UNIQUE INDEX sales_by_month_idx ON sales_by_month (month, currency);
ALTER TABLE customers ALTER COLUMN email SET STATISTICS 200;
ALTER TABLE orders CLUSTER ON orders_customer_idx;
COMMENT ON INDEX orders_open_idx IS 'Orders somebody still has to work on';

ALTER TABLE categories ADD CONSTRAINT categories_parent_fkey FOREIGN KEY (parent_id) REFERENCES categories DEFERRABLE;
ALTER TABLE products ADD CONSTRAINT products_category_fkey FOREIGN KEY (category_id) REFERENCES categories;
ALTER TABLE orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_order_fkey FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_product_fkey FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE payments ADD CONSTRAINT payments_order_fkey FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE;
ALTER TABLE payments ADD CONSTRAINT payments_amount_positive CHECK (amount > 0) NOT VALID;
ALTER TABLE documents ADD CONSTRAINT documents_product_fkey FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE events ADD CONSTRAINT events_customer_fkey FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE stock_moves ADD CONSTRAINT stock_moves_product_fkey FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE stock_moves ADD CONSTRAINT stock_moves_warehouse_fkey FOREIGN KEY (warehouse_id) REFERENCES warehouses;
ALTER TABLE coupon_uses ADD CONSTRAINT coupon_uses_code_fkey FOREIGN KEY (code) REFERENCES coupons ON UPDATE CASCADE;
ALTER TABLE coupon_uses ADD CONSTRAINT coupon_uses_customer_fkey FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE import_rows ADD CONSTRAINT import_rows_import_fkey FOREIGN KEY (import_id) REFERENCES imports ON DELETE CASCADE;

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION shop_app.touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION shop_app.touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION shop_app.touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION shop_app.touch_updated_at();
CREATE TRIGGER audit_order AFTER INSERT OR DELETE OR UPDATE OF state ON orders
    FOR EACH ROW EXECUTE FUNCTION shop_app.audit_order();
