import Postgres

/// A schema with an object of nearly every kind, each with what can be said of it; for every version from 14 on.
///
/// Roles are those that every server has.
enum RichSchema {
    static let definitions: SQL = """
        CREATE EXTENSION pg_trgm;
        CREATE SCHEMA shop;
        COMMENT ON SCHEMA shop IS 'all of it';
        GRANT USAGE, CREATE ON SCHEMA shop TO pg_monitor WITH GRANT OPTION;
        COMMENT ON SCHEMA public IS 'ours';
        GRANT USAGE ON SCHEMA public TO pg_signal_backend;
        CREATE TYPE shop.state AS ENUM ('new', 'paid');
        ALTER TYPE shop.state ADD VALUE 'seen' BEFORE 'paid';
        COMMENT ON TYPE shop.state IS 'of an order';
        CREATE DOMAIN shop.email AS text COLLATE "C" DEFAULT 'nobody@example.org' NOT NULL CONSTRAINT has_at CHECK (VALUE ~ '@');
        COMMENT ON CONSTRAINT has_at ON DOMAIN shop.email IS 'an address';
        GRANT USAGE ON TYPE shop.email TO pg_monitor;
        CREATE TYPE shop.address AS (street text COLLATE "C", zip varchar(10));
        COMMENT ON COLUMN shop.address.zip IS 'code';
        CREATE TYPE shop.span AS RANGE (subtype = float8, subtype_diff = float8mi);
        CREATE COLLATION shop.folded (locale = 'C');
        CREATE SEQUENCE shop.number AS int INCREMENT BY 5 MINVALUE 10 MAXVALUE 10000 START 20 CACHE 3 CYCLE;
        COMMENT ON SEQUENCE shop.number IS 'every fifth';
        GRANT USAGE ON SEQUENCE shop.number TO pg_monitor;
        CREATE SEQUENCE shop.down INCREMENT BY -1;
        SELECT nextval('shop.down'), nextval('shop.number');
        CREATE TABLE shop.customer (
            id bigint GENERATED ALWAYS AS IDENTITY (START WITH 7 INCREMENT BY 3) PRIMARY KEY,
            email shop.email NOT NULL,
            gone int,
            name text COLLATE shop.folded CONSTRAINT named CHECK (name <> '') NO INHERIT,
            note text DEFAULT 'it''s ' || current_user,
            home shop.address,
            search text GENERATED ALWAYS AS (lower(note)) STORED,
            tags text[] DEFAULT '{a,b}',
            UNIQUE (email) INCLUDE (name) DEFERRABLE INITIALLY DEFERRED
        ) WITH (fillfactor = 80, toast.autovacuum_enabled = false);
        ALTER TABLE shop.customer DROP COLUMN gone;
        ALTER TABLE shop.customer ALTER note SET STORAGE EXTERNAL, ALTER note SET STATISTICS 500, ALTER tags SET COMPRESSION pglz;
        ALTER TABLE shop.customer ALTER id SET (n_distinct = -0.5), ALTER note SET NOT NULL;
        CREATE INDEX by_name ON shop.customer USING gin (name gin_trgm_ops);
        CREATE INDEX by_note ON shop.customer (lower(note) DESC NULLS LAST, id) WITH (fillfactor = 70) WHERE note <> 'x';
        ALTER INDEX shop.by_note ALTER COLUMN 1 SET STATISTICS 700;
        ALTER TABLE shop.customer CLUSTER ON customer_pkey;
        COMMENT ON TABLE shop.customer IS 'people';
        COMMENT ON COLUMN shop.customer.note IS 'anything';
        COMMENT ON INDEX shop.by_note IS 'for the list';
        COMMENT ON CONSTRAINT named ON shop.customer IS 'not empty';
        GRANT SELECT ON shop.customer TO pg_monitor WITH GRANT OPTION;
        GRANT INSERT, UPDATE (note), SELECT (id) ON shop.customer TO pg_signal_backend;
        REVOKE DELETE ON shop.customer FROM CURRENT_USER;
        CREATE STATISTICS shop.both (dependencies, mcv) ON id, note FROM shop.customer;
        ALTER STATISTICS shop.both SET STATISTICS 300;
        COMMENT ON STATISTICS shop.both IS 'they hang together';
        CREATE TABLE shop.orders (
            id int NOT NULL, placed date NOT NULL, customer bigint, state shop.state DEFAULT 'new', amount numeric(10,2),
            CONSTRAINT positive CHECK (amount > 0), PRIMARY KEY (id, placed)
        ) PARTITION BY RANGE (placed);
        CREATE TABLE shop.orders_2025 PARTITION OF shop.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') WITH (fillfactor = 60);
        CREATE TABLE shop.orders_rest PARTITION OF shop.orders DEFAULT PARTITION BY LIST (id);
        CREATE TABLE shop.orders_rest_new (extra_id int, state shop.state DEFAULT 'new', placed date NOT NULL, customer bigint, id int NOT NULL, amount numeric(10,2), CONSTRAINT positive CHECK (amount > 0));
        ALTER TABLE shop.orders_rest_new DROP COLUMN extra_id;
        ALTER TABLE shop.orders_rest ATTACH PARTITION shop.orders_rest_new FOR VALUES IN (1, 2, 3);
        ALTER TABLE shop.orders ADD CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES shop.customer ON DELETE SET NULL;
        CREATE INDEX orders_state ON shop.orders (state);
        CREATE INDEX only_here ON shop.orders_2025 (amount);
        COMMENT ON CONSTRAINT of_customer ON shop.orders IS 'who';
        CREATE TABLE shop.line (
            orders int, placed date, number int NOT NULL DEFAULT nextval('shop.number'), text varchar(20), valid tstzrange,
            FOREIGN KEY (orders, placed) REFERENCES shop.orders MATCH FULL DEFERRABLE,
            EXCLUDE USING gist (valid WITH &&)
        );
        ALTER SEQUENCE shop.number OWNED BY shop.line.number;
        CREATE UNIQUE INDEX line_number ON shop.line (number);
        ALTER TABLE shop.line REPLICA IDENTITY USING INDEX line_number;
        ALTER TABLE shop.line ADD CONSTRAINT loose FOREIGN KEY (number) REFERENCES shop.line (number) NOT VALID;
        ALTER TABLE shop.line ADD CONSTRAINT looser CHECK (number > 0) NOT VALID;
        CREATE TABLE shop.whole (a int); ALTER TABLE shop.whole REPLICA IDENTITY FULL;
        CREATE TABLE shop.silent (a int PRIMARY KEY); ALTER TABLE shop.silent REPLICA IDENTITY NOTHING;
        CREATE UNLOGGED TABLE shop.scratch (a int, b serial);
        CREATE TABLE shop.base (a int CONSTRAINT small CHECK (a < 100), b text);
        CREATE TABLE shop.mixin (c int);
        CREATE TABLE shop.child (d int, b text NOT NULL) INHERITS (shop.base, shop.mixin);
        CREATE TABLE shop.typed OF shop.address (zip WITH OPTIONS DEFAULT '0');
        CREATE FUNCTION shop.total(o int, VARIADIC rest int[] DEFAULT '{}') RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE COST 7
            SET work_mem = '8MB' BEGIN ATOMIC SELECT sum(amount) FROM shop.orders WHERE orders.id = o; END;
        COMMENT ON FUNCTION shop.total IS 'of an order';
        REVOKE ALL ON FUNCTION shop.total FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION shop.total TO pg_monitor;
        CREATE PROCEDURE shop.tidy(INOUT n int) LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop, pg_temp AS $$ BEGIN n := n + 1; END $$;
        CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE AGGREGATE shop.product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = 1, parallel = safe, combinefunc = numeric_mul);
        CREATE TRIGGER touched BEFORE UPDATE OF note ON shop.customer FOR EACH ROW WHEN (OLD.note IS DISTINCT FROM NEW.note) EXECUTE FUNCTION shop.touch('x');
        ALTER TABLE shop.customer DISABLE TRIGGER touched;
        CREATE TRIGGER always AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
        ALTER TABLE shop.line ADD COLUMN seen bool;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON shop.line DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.touch();
        ALTER TABLE shop.line ENABLE ALWAYS TRIGGER late;
        COMMENT ON TRIGGER late ON shop.line IS 'at the end';
        CREATE VIEW shop.open WITH (security_barrier) AS
            SELECT o.id, o.placed, c.name, row_number() OVER (PARTITION BY c.id ORDER BY o.placed DESC) AS place
              FROM shop.orders o JOIN shop.customer c ON c.id = o.customer WHERE o.state = 'new';
        CREATE VIEW shop.plain AS SELECT id, note, upper(name) AS name, extract(year FROM now()) AS y FROM shop.customer c
            WHERE EXISTS (SELECT FROM shop.orders o WHERE o.customer = c.id) ORDER BY note LIMIT 10;
        CREATE VIEW shop.checked AS SELECT * FROM shop.customer WHERE id > 0 AND note IN ('a', 'b') WITH LOCAL CHECK OPTION;
        CREATE VIEW shop.grouped AS WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5)
            SELECT state, count(*) FILTER (WHERE amount > 1) AS n, (SELECT max(n) FROM t) AS m FROM shop.orders GROUP BY ROLLUP (state) HAVING count(*) > 0;
        COMMENT ON VIEW shop.open IS 'to do';
        COMMENT ON COLUMN shop.open.place IS 'in line';
        ALTER VIEW shop.checked ALTER note SET DEFAULT 'new';
        GRANT SELECT ON shop.open TO PUBLIC;
        CREATE MATERIALIZED VIEW shop.counts AS SELECT state, count(*) AS n FROM shop.orders GROUP BY state;
        CREATE UNIQUE INDEX counts_state ON shop.counts (state);
        ALTER MATERIALIZED VIEW shop.counts CLUSTER ON counts_state;
        ALTER MATERIALIZED VIEW shop.counts ALTER n SET STATISTICS 50;
        CREATE MATERIALIZED VIEW shop.empty AS SELECT 1 AS one WITH NO DATA;
        CREATE RULE keep AS ON DELETE TO shop.whole WHERE OLD.a > 5 DO INSTEAD UPDATE shop.whole SET a = OLD.a + 1 WHERE a = OLD.a;
        COMMENT ON RULE keep ON shop.whole IS 'not gone';
        ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON shop.customer AS RESTRICTIVE FOR UPDATE TO pg_monitor, pg_signal_backend USING (note = current_user) WITH CHECK (id > 0);
        COMMENT ON POLICY own ON shop.customer IS 'each his own';
        CREATE FUNCTION shop.eq(shop.address, shop.address) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1::text = $2::text';
        CREATE OPERATOR shop.=== (FUNCTION = shop.eq, LEFTARG = shop.address, RIGHTARG = shop.address, COMMUTATOR = OPERATOR(shop.===), RESTRICT = eqsel);
        COMMENT ON OPERATOR shop.=== (shop.address, shop.address) IS 'alike';
        CREATE OPERATOR CLASS shop.reversed FOR TYPE int USING btree AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(int, int);
        CREATE FUNCTION shop.as_text(shop.address) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.street';
        CREATE CAST (shop.address AS text) WITH FUNCTION shop.as_text(shop.address) AS ASSIGNMENT;
        CREATE CONVERSION shop.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
        CREATE TEXT SEARCH DICTIONARY shop.dict (TEMPLATE = simple, STOPWORDS = english);
        CREATE TEXT SEARCH CONFIGURATION shop.conf (COPY = english);
        ALTER TEXT SEARCH CONFIGURATION shop.conf ALTER MAPPING FOR asciiword WITH shop.dict, english_stem;
        CREATE PUBLICATION theirs FOR TABLE shop.line, ONLY shop.base WITH (publish = 'insert, delete');
        CREATE FOREIGN DATA WRAPPER nothing OPTIONS (a '1');
        CREATE SERVER far TYPE 'x' VERSION '2' FOREIGN DATA WRAPPER nothing OPTIONS (host 'h');
        GRANT USAGE ON FOREIGN SERVER far TO pg_monitor;
        CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'u', password 'secret');
        CREATE FOREIGN TABLE shop.away (a int OPTIONS (col 'x') NOT NULL, b text) SERVER far OPTIONS (tab 'y');
        ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO pg_monitor WITH GRANT OPTION;
        ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
        CREATE FUNCTION shop.event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION shop.event();
        COMMENT ON EVENT TRIGGER watch IS 'casts';
        ALTER TABLE shop.mixin OWNER TO pg_monitor;
        ALTER FUNCTION shop.touch() OWNER TO pg_signal_backend;
        ALTER TABLE shop.scratch OWNER TO pg_signal_backend;
        SELECT lo_create(4711);
        ALTER LARGE OBJECT 4711 OWNER TO pg_monitor;
        GRANT SELECT ON LARGE OBJECT 4711 TO pg_signal_backend;
        COMMENT ON LARGE OBJECT 4711 IS 'picture';
        INSERT INTO shop.customer (email, note) SELECT 'a' || i || '@b', 'n' FROM generate_series(1, 50) i;
        INSERT INTO shop.orders SELECT i, '2025-02-01', 7, 'new', 1 FROM generate_series(1, 20) i;
        REFRESH MATERIALIZED VIEW shop.counts;
        """
}
