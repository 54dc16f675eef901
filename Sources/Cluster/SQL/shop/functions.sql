-- Creates the functions of schema shop_app, one for each business operation of the demo shop. PostgreSQL 14 or later.

-- Helpers ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION shop_app.pick(seed bigint, salt bigint, choices bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN abs(hashint8extended(seed, salt) % choices);
COMMENT ON FUNCTION shop_app.pick IS 'A number from 0 to choices - 1 that depends on seed and salt only';

CREATE FUNCTION shop_app.noise(seed bigint, blocks integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT string_agg(encode(sha512(int8send(seed) || int4send(n)), 'base64'), '' ORDER BY n)
          FROM generate_series(1, blocks) n $$;
COMMENT ON FUNCTION shop_app.noise IS 'Text of blocks * 89 characters that does not compress';

CREATE FUNCTION shop_app.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE FUNCTION shop_app.audit_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.audit_log (entity, entity_id, action) VALUES ('order', OLD.id, 'deleted');
    ELSE
        INSERT INTO public.audit_log (entity, entity_id, action) VALUES ('order', NEW.id, NEW.state::text);
    END IF;
    RETURN NULL;
END $$;

-- Operations ---------------------------------------------------------------------------------------------------------
-- One call is one transaction. Every choice depends on the seed and on the rows found; the result is the number of rows
-- written, cascades included, triggers not. Locks are taken in the order order, customer, product (each by key); work
-- that may be done on any row takes one that nobody has locked. Meant for READ COMMITTED.

CREATE FUNCTION shop_app.place_order(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    buyer customers;
    basket integer[];
    placed bigint;
    bill numeric;
    deposit numeric := 0;
BEGIN
    SELECT * INTO buyer FROM customers
    WHERE id > shop_app.pick(seed, 1, (SELECT max(id) FROM customers)) ORDER BY id LIMIT 1 FOR NO KEY UPDATE;
    SELECT array_agg(DISTINCT 1 + shop_app.pick(seed, 10 + n, (SELECT max(id) FROM products))) INTO basket
    FROM generate_series(1, 1 + shop_app.pick(seed, 2, 5)) n;
    PERFORM FROM products WHERE id = ANY (basket) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO orders (customer_id, via, currency)
    VALUES (buyer.id, (enum_range(NULL::channel))[1 + shop_app.pick(seed, 3, 3)], buyer.currency) RETURNING id INTO placed;
    INSERT INTO order_lines (order_id, line_no, product_id, quantity, unit_price, discount)
    SELECT placed, row_number() OVER (ORDER BY id), id, 1 + shop_app.pick(seed, id, 4), p.price, shop_app.pick(seed, 4, 4) * 0.025
    FROM products p WHERE id = ANY (basket);
    INSERT INTO stock_moves (product_id, quantity, reason)
    SELECT product_id, -quantity, 'sold' FROM order_lines WHERE order_id = placed;
    UPDATE products p SET stock = p.stock - l.quantity FROM order_lines l WHERE l.order_id = placed AND p.id = l.product_id;
    SELECT sum(amount) INTO bill FROM order_lines WHERE order_id = placed;
    UPDATE orders SET total = bill WHERE id = placed;
    IF shop_app.pick(seed, 5, 3) > 0 THEN
        deposit := round(bill / 4, 2) + 0.01;
        INSERT INTO payments (order_id, currency, amount, method) VALUES (placed, buyer.currency, deposit, 'deposit');
    END IF;
    UPDATE customers SET balance = balance - bill + deposit WHERE id = buyer.id;
    RETURN 3 + 3 * cardinality(basket) + (deposit > 0)::integer;
END $$;

CREATE FUNCTION shop_app.pay_order(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    bill orders;
    due numeric;
BEGIN
    SELECT * INTO bill FROM orders WHERE state = 'new' AND id > shop_app.pick(seed, 1, (SELECT max(id) FROM orders))
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN 0; END IF;
    SELECT bill.total - coalesce(sum(amount), 0) INTO due FROM payments WHERE order_id = bill.id;
    INSERT INTO payments (order_id, currency, amount, method) VALUES (bill.id, bill.currency, due,
        (ARRAY['card', 'cash', 'transfer'])[1 + shop_app.pick(seed, 2, 3)]);
    UPDATE orders SET state = 'paid' WHERE id = bill.id;
    UPDATE customers SET balance = balance + due WHERE id = bill.customer_id;
    RETURN 3;
END $$;

CREATE FUNCTION shop_app.ship_order(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    shipped integer;
BEGIN
    UPDATE orders SET state = CASE shop_app.pick(seed, 2, 2) WHEN 0 THEN 'shipped' ELSE 'delivered' END::order_state
    WHERE id IN (SELECT id FROM orders WHERE state = 'paid' AND id > shop_app.pick(seed, 1, (SELECT max(id) FROM orders))
                 ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS shipped = ROW_COUNT;
    RETURN shipped;
END $$;

CREATE FUNCTION shop_app.cancel_order(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    gone orders;
    lines integer;
    paid numeric;
BEGIN
    SELECT * INTO gone FROM orders WHERE state = 'new' AND id > shop_app.pick(seed, 1, (SELECT max(id) FROM orders))
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN 0; END IF;
    SELECT coalesce(sum(amount), 0) INTO paid FROM payments WHERE order_id = gone.id;
    UPDATE customers SET balance = balance + gone.total - paid WHERE id = gone.customer_id;
    PERFORM FROM products WHERE id IN (SELECT product_id FROM order_lines WHERE order_id = gone.id) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO stock_moves (product_id, quantity, reason)
    SELECT product_id, sum(quantity), 'cancelled' FROM order_lines WHERE order_id = gone.id GROUP BY product_id;
    UPDATE products p SET stock = p.stock + l.quantity
    FROM (SELECT product_id, sum(quantity) AS quantity FROM order_lines WHERE order_id = gone.id GROUP BY product_id) l
    WHERE p.id = l.product_id;
    GET DIAGNOSTICS lines = ROW_COUNT;
    DELETE FROM orders WHERE id = gone.id;
    RETURN 2 + 3 * lines + (paid > 0)::integer;
END $$;

CREATE FUNCTION shop_app.edit_document(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    found_id uuid;
    written text;
BEGIN
    SELECT id INTO found_id FROM documents WHERE id >= md5(seed::text)::uuid ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN 0; END IF;
    IF shop_app.pick(seed, 1, 8) > 0 THEN
        UPDATE documents SET views = views + 1 WHERE id = found_id;
    ELSE
        written := CASE WHEN shop_app.pick(seed, 2, 20) > 0 THEN shop_app.noise(seed, 100 + shop_app.pick(seed, 3, 90)::integer) END;
        UPDATE documents SET body = written, body_length = coalesce(length(written), 0) WHERE id = found_id;
    END IF;
    RETURN 1;
END $$;

CREATE FUNCTION shop_app.rename_customer(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    ids integer[];
    old_emails text[];
    ticket text := nextval('ticket_no');
BEGIN
    IF shop_app.pick(seed, 1, 10) = 0 THEN
        INSERT INTO customers (email, name) VALUES ('new.' || ticket || '@shop.example', 'New customer ' || ticket);
        RETURN 1;
    END IF;
    SELECT array_agg(id), array_agg(email::text) INTO ids, old_emails FROM (
        SELECT id, email FROM customers WHERE id > shop_app.pick(seed, 2, (SELECT max(id) FROM customers))
        ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED) two;
    IF cardinality(ids) = 2 AND shop_app.pick(seed, 3, 3) = 0 THEN
        UPDATE customers SET email = 'swap.' || ticket || '@shop.example' WHERE id = ids[1];
        UPDATE customers SET email = old_emails[1] WHERE id = ids[2];
        UPDATE customers SET email = old_emails[2] WHERE id = ids[1];
        RETURN 3;
    END IF;
    UPDATE customers SET email = 'renamed.' || ticket || '@shop.example', tags = tags[1:3] || ('renamed ' || ticket) WHERE id = ids[1];
    RETURN coalesce(sign(cardinality(ids)), 0);
END $$;

CREATE FUNCTION shop_app.change_key(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    keys text[];
    ids integer[];
    ticket text := nextval('ticket_no');
    kind bigint := shop_app.pick(seed, 1, 10);
    written integer := 0;
BEGIN
    IF kind < 6 THEN
        SELECT array_agg(code) INTO keys FROM (SELECT code FROM coupons
            WHERE hashtext(code) > shop_app.pick(seed, 2, 4000000000) - 2000000000 LIMIT 2 FOR UPDATE SKIP LOCKED) two;
        IF kind < 2 AND keys IS NOT NULL THEN
            UPDATE coupons SET code = 'C-' || ticket WHERE code = keys[1];
            written := 1;
        ELSIF kind = 2 AND cardinality(keys) = 2 THEN
            UPDATE coupons SET code = 'swap ' || ticket WHERE code = keys[1];
            UPDATE coupons SET code = keys[1] WHERE code = keys[2];
            UPDATE coupons SET code = keys[2] WHERE code = 'swap ' || ticket;
            written := 3;
        ELSIF keys IS NOT NULL THEN
            INSERT INTO coupon_uses SELECT id, keys[1] FROM customers
            WHERE id > shop_app.pick(seed, 3, (SELECT max(id) FROM customers)) ORDER BY id LIMIT 1 ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS written = ROW_COUNT;
            UPDATE coupons SET uses = uses + written WHERE code = keys[1];
            written := written + 1;
        END IF;
    ELSIF kind < 9 THEN
        SELECT array_agg(code) INTO keys FROM (SELECT code FROM exchange_rates
            WHERE hashtext(code) > shop_app.pick(seed, 2, 4000000000) - 2000000000 LIMIT 1 FOR UPDATE SKIP LOCKED) one;
        IF keys IS NULL THEN RETURN 0; END IF;
        CASE kind
            WHEN 6 THEN UPDATE exchange_rates SET per_euro = per_euro * 1.01 WHERE code = keys[1];
            WHEN 7 THEN UPDATE exchange_rates SET code = 'X' || ticket WHERE code = keys[1];
            ELSE
                DELETE FROM exchange_rates WHERE code = keys[1];
                INSERT INTO exchange_rates VALUES (keys[1], 1 + shop_app.pick(seed, 3, 1000) / 7.0::double precision);
        END CASE;
        written := 1 + (kind = 8)::integer;
    ELSE
        SELECT array_agg(id) INTO ids FROM (SELECT id FROM categories WHERE parent_id = 1
            AND id > shop_app.pick(seed, 2, 9) ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED) two;
        UPDATE categories a SET position = b.position FROM categories b WHERE a.id = ANY (ids) AND b.id = ANY (ids) AND a.id <> b.id;
        GET DIAGNOSTICS written = ROW_COUNT;
    END IF;
    RETURN written;
END $$;

CREATE FUNCTION shop_app.log_event(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    moment timestamptz := timestamptz '2025-01-01 00:00+00' + make_interval(secs => shop_app.pick(seed, 1, 16000000));
    moved integer;
BEGIN
    IF shop_app.pick(seed, 2, 4) > 0 THEN
        INSERT INTO events (occurred_at, visit, kind, payload)
        SELECT moment + make_interval(secs => 60 * step), visit, CASE step WHEN 0 THEN 'enter' ELSE 'leave' END,
            jsonb_build_object('page', '/p/' || shop_app.pick(seed, 3, 500), 'seed', seed, 'emoji', '🛒', 'null', NULL)
        FROM nextval('visit_no') visit, generate_series(0, 1) step;
        RETURN 2;
    END IF;
    UPDATE events e SET occurred_at = moment FROM (
        SELECT id, occurred_at FROM events WHERE id > shop_app.pick(seed, 4, (SELECT max(id) FROM events))
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) old
    WHERE e.id = old.id AND e.occurred_at = old.occurred_at;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;

CREATE FUNCTION shop_app.touch_inventory(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    arrived integer := 1 + shop_app.pick(seed, 1, 50);
    place integer := CASE WHEN shop_app.pick(seed, 2, 10) = 0 THEN 2 ELSE 1 END;
    product integer := 1 + shop_app.pick(seed, 3, (SELECT max(id) FROM products));
BEGIN
    UPDATE warehouses SET moves = moves + 1, pieces = pieces + arrived WHERE id = place;
    UPDATE products SET stock = stock + arrived WHERE id = product;
    INSERT INTO stock_moves (product_id, warehouse_id, quantity, reason) VALUES (product, place, arrived, 'arrived');
    RETURN 3;
END $$;

CREATE FUNCTION shop_app.full_identity(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    kind bigint := shop_app.pick(seed, 1, 10);
    place text := 'shelf ' || shop_app.pick(seed, 2, 40);
    step integer := 1 + shop_app.pick(seed, 3, 9);
    rows tid[];
    written integer;
BEGIN
    -- Whatever happens, the changes of all rows add up to 0.
    SELECT array_agg(ctid) INTO rows FROM (
        SELECT ctid FROM shelf_counts WHERE shelf = place LIMIT (CASE WHEN kind < 8 THEN 2 ELSE 12 END) FOR UPDATE SKIP LOCKED) chosen;
    IF kind < 4 OR rows IS NULL OR cardinality(rows) < 2 THEN
        INSERT INTO shelf_counts SELECT place, CASE WHEN kind > 0 THEN date '2025-01-01' + step END, sign * step, CASE WHEN kind = 1
            THEN shop_app.noise(step, 100) END FROM unnest(ARRAY[1, 1, -1, -1]) sign;
        RETURN 4;
    ELSIF kind < 8 THEN
        UPDATE shelf_counts SET change = change + CASE ctid WHEN rows[1] THEN step ELSE -step END,
            counted_on = CASE WHEN kind > 4 THEN date '2025-02-01' + step END WHERE ctid = ANY (rows);
        RETURN 2;
    END IF;
    UPDATE shelf_counts SET change = (SELECT sum(change) FROM shelf_counts WHERE ctid = ANY (rows)) WHERE ctid = rows[1];
    DELETE FROM shelf_counts WHERE ctid = ANY (rows[2:]);
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written + 1;
END $$;

CREATE FUNCTION shop_app.weird(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    found_key bigint;
    part integer := shop_app.pick(seed, 1, 101);
BEGIN
    SELECT "select" INTO found_key FROM "Order"."weird ""table"" 🐦"
    WHERE "select" > shop_app.pick(seed, 2, (SELECT max("select") + 1 FROM "Order"."weird ""table"" 🐦"))
    ORDER BY 1 LIMIT 1 FOR UPDATE SKIP LOCKED;
    CASE WHEN found_key IS NULL OR shop_app.pick(seed, 3, 4) = 0 THEN
        INSERT INTO "Order"."weird ""table"" 🐦" ("Camel Case", "left", "right", "a.b")
        VALUES (E'tab\there, quote '' " and \\N 🐣', part, 100 - part, CASE WHEN part > 50 THEN '' END);
    WHEN shop_app.pick(seed, 3, 4) = 1 THEN
        DELETE FROM "Order"."weird ""table"" 🐦" WHERE "select" = found_key;
    ELSE
        UPDATE "Order"."weird ""table"" 🐦" SET "left" = part, "right" = 100 - part,
            "100% $1 'x'" = jsonb_build_object('"', seed, '\', E'\n') WHERE "select" = found_key;
    END CASE;
    UPDATE staff_notes SET note = 'weird ' || part WHERE id = 1 + shop_app.pick(seed, 4, 30);
    RETURN 1 + FOUND::integer;
END $$;

CREATE FUNCTION shop_app.bulk(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    batch bigint;
    lines integer := 400 + shop_app.pick(seed, 1, 200);
BEGIN
    IF shop_app.pick(seed, 2, 2) = 0 THEN
        INSERT INTO imports (row_count) VALUES (lines) RETURNING id INTO batch;
        INSERT INTO import_rows SELECT batch, n, 'line|' || n || '|' || repeat(md5((seed + n)::text), 3) FROM generate_series(1, lines) n;
        RETURN 1 + lines;
    END IF;
    DELETE FROM imports WHERE id = (SELECT id FROM imports ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING row_count + 1 INTO lines;
    RETURN CASE WHEN FOUND THEN lines ELSE 0 END;
END $$;

CREATE FUNCTION shop_app.rollback_some(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    kept integer := 1;
BEGIN
    INSERT INTO audit_log (entity, entity_id, action, detail) VALUES ('attempt', seed, 'kept', jsonb_build_object('seed', seed));
    FOR attempt IN 1..3 LOOP
        BEGIN
            INSERT INTO audit_log (entity, entity_id, action)
            VALUES ('attempt', seed, CASE shop_app.pick(seed, attempt, 2) WHEN 0 THEN 'kept' ELSE 'rolled back' END);
            IF shop_app.pick(seed, attempt, 2) > 0 THEN
                PERFORM shop_app.edit_document(seed + attempt);
                UPDATE customers SET balance = balance + 1000000 WHERE id = 1 + shop_app.pick(seed, 9, 20);
                RAISE EXCEPTION USING ERRCODE = 'SHOP1';
            END IF;
            kept := kept + 1;
        EXCEPTION WHEN SQLSTATE 'SHOP1' THEN
            NULL;
        END;
    END LOOP;
    RETURN kept;
END $$;

CREATE FUNCTION shop_app.truncate_scratch(seed bigint) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    parents integer := 5 + shop_app.pick(seed, 1, 20);
BEGIN
    TRUNCATE scratch_parents, scratch_children RESTART IDENTITY;
    INSERT INTO scratch_parents (note) SELECT 'parent ' || n FROM generate_series(1, parents) n;
    INSERT INTO scratch_children (parent_id) SELECT id FROM scratch_parents, generate_series(1, 3);
    RETURN 4 * parents;
END $$;

CREATE FUNCTION shop_app.read_something(seed bigint) RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = public AS $$
DECLARE
    chosen bigint := shop_app.pick(seed, 1, (SELECT max(id) FROM orders));
    answer bigint;
BEGIN
    CASE shop_app.pick(seed, 2, 5)
        WHEN 0 THEN SELECT sum(lines) INTO answer FROM order_summary WHERE id BETWEEN chosen AND chosen + 20;
        WHEN 1 THEN SELECT count(*) INTO answer FROM payments WHERE order_id BETWEEN chosen AND chosen + 20;
        WHEN 2 THEN SELECT count(*) INTO answer FROM products WHERE search @@ to_tsquery('simple', 'tea');
        WHEN 3 THEN SELECT count(*) INTO answer FROM customers WHERE lower(name) = 'customer ' || chosen;
        ELSE SELECT count(*) INTO answer FROM events WHERE payload @> jsonb_build_object('page', '/p/' || shop_app.pick(seed, 3, 500));
    END CASE;
    RETURN coalesce(answer, 0);
END $$;
