import Postgres

/// One of everything that a database may have, for ``FeatureTests``.
///
/// The parts that an attacker would make come last, in ``shadows``: from then on a session that looks into `public` first is lost.
enum Features {
    /// Tables of every kind, with rows.
    static let tables: SQL = #"""
        CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
        CREATE SCHEMA "Public"; CREATE SCHEMA "PUBLIC"; CREATE TABLE "Public".t (id int PRIMARY KEY, v text);
        CREATE TABLE "PUBLIC".t (id int PRIMARY KEY, v text); CREATE TABLE public.t (id int PRIMARY KEY, v text);
        INSERT INTO "Public".t VALUES (1, 'Public'); INSERT INTO "PUBLIC".t VALUES (1, 'PUBLIC'); INSERT INTO public.t VALUES (1, 'public');
        CREATE SCHEMA "select.from ""🐦""";
        CREATE TABLE "select.from ""🐦"""."table" ("select" int, "where.x" text, "🐦" int, "a""b" int, " " int, "$1" int,
            PRIMARY KEY ("select", "🐦"));
        CREATE INDEX "idx "" . 🐦" ON "select.from ""🐦"""."table" ("where.x", ("a""b" + 1)) WHERE "$1" > 0;
        INSERT INTO "select.from ""🐦"""."table" VALUES (1, 'x', 2, 3, 4, 5);
        CREATE TABLE abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789
            (abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789 int PRIMARY KEY);
        CREATE TABLE circle_a (id int PRIMARY KEY, b int); CREATE TABLE circle_b (id int PRIMARY KEY, a int REFERENCES circle_a);
        ALTER TABLE circle_a ADD FOREIGN KEY (b) REFERENCES circle_b DEFERRABLE INITIALLY DEFERRED;
        CREATE TABLE self (id int PRIMARY KEY, parent int REFERENCES self); INSERT INTO self VALUES (1, 1), (2, 1);
        BEGIN; INSERT INTO circle_a VALUES (1, 1); INSERT INTO circle_b VALUES (1, 1); COMMIT;
        CREATE TYPE mood AS ENUM ('zorro', 'alpha', 'mid', 'between');
        CREATE TABLE moody (m mood, id int, PRIMARY KEY (m, id)) PARTITION BY HASH (m);
        CREATE TABLE moody_0 PARTITION OF moody FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE moody_1 PARTITION OF moody FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH (id, m);
        CREATE TABLE moody_1_0 PARTITION OF moody_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE moody_1_1 PARTITION OF moody_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO moody SELECT (ARRAY['zorro', 'alpha', 'mid', 'between'])[1 + n % 4]::mood, n FROM generate_series(1, 100) n;
        CREATE TABLE allowed (x int); INSERT INTO allowed VALUES (2);
        CREATE FUNCTION is_even(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE SET search_path = public AS
            $$ BEGIN RETURN (SELECT count(*) >= 0 FROM allowed) AND $1 % 2 = 0; END $$;
        CREATE DOMAIN even AS int CHECK (is_even(VALUE)); CREATE DOMAIN filled AS text NOT NULL DEFAULT 'x' CHECK (length(VALUE) > 0);
        CREATE TABLE evens (id even PRIMARY KEY, v even NOT NULL, f filled, a even[]); INSERT INTO evens VALUES (2, 4, 'a', '{2,4}');
        CREATE TABLE secured (id int PRIMARY KEY, who text); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
        ALTER TABLE secured FORCE ROW LEVEL SECURITY; CREATE POLICY own ON secured USING (who = current_user);
        INSERT INTO secured VALUES (1, 'nobody'), (2, 'somebody');
        CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE TABLE child (extra int) INHERITS (parent);
        ALTER TABLE child ADD PRIMARY KEY (id); INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (1, 'c', 1), (2, 'c', 2);
        CREATE TABLE cash (id int PRIMARY KEY, m money); INSERT INTO cash VALUES (1, 1234.56), (2, -0.01);
        CREATE TABLE squeezed (id int PRIMARY KEY, t text COMPRESSION lz4, p text COMPRESSION pglz, e text);
        ALTER TABLE squeezed ALTER e SET STORAGE EXTERNAL; ALTER TABLE squeezed CLUSTER ON squeezed_pkey; INSERT INTO squeezed VALUES (1, repeat('abc', 9000), repeat('d', 9000), repeat('e', 9000));
        CREATE TABLE stat (a int, b int, c text); INSERT INTO stat SELECT n, n % 10, n FROM generate_series(1, 100) n;
        CREATE TABLE doubled (id int PRIMARY KEY, n int); INSERT INTO doubled VALUES (1, 1), (2, 1);
        CREATE TABLE published (id int PRIMARY KEY, a int, b int); INSERT INTO published VALUES (1, 1, 1), (11, 11, 11);
        CREATE TABLE ruled (id int PRIMARY KEY, v text); CREATE TABLE ruled_log (id int, v text); INSERT INTO ruled VALUES (1, 'a'), (2, 'b');
        """#

    /// Text that sorts, or is equal, by rules of ICU, which some builds lack.
    static let sorted: SQL = #"""
        CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE COLLATION german (provider = icu, locale = 'de-DE');
        CREATE TABLE sorted (k text COLLATE blind PRIMARY KEY, g text COLLATE german, c text COLLATE "C"); CREATE INDEX ON sorted (g);
        INSERT INTO sorted VALUES ('Äpfel', 'z', 'x'), ('b', 'ä', 'y');
        CREATE TABLE sorted_parts (k text COLLATE german PRIMARY KEY) PARTITION BY RANGE (k);
        CREATE TABLE sorted_low PARTITION OF sorted_parts FOR VALUES FROM (MINVALUE) TO ('m');
        CREATE TABLE sorted_high PARTITION OF sorted_parts FOR VALUES FROM ('m') TO (MAXVALUE); INSERT INTO sorted_parts VALUES ('ä'), ('Z'); COMMENT ON COLLATION german IS 'collation';
        """#

    /// Changes of the tables in ``sorted``.
    static let sortedChanges: SQL = #"""
        INSERT INTO public.sorted VALUES ('ß', '1', '2'); UPDATE public.sorted SET k = 'ÄPFEL' WHERE c = 'x';
        UPDATE public.sorted_parts SET k = 'zz' WHERE k = 'ä'; UPDATE public.sorted SET g = 'q'
        """#

    /// What hangs on tables, or stands beside them.
    static let objects: SQL = #"""
        CREATE RULE log AS ON INSERT TO ruled DO ALSO INSERT INTO ruled_log VALUES (NEW.id, NEW.v);
        CREATE RULE keep AS ON DELETE TO ruled WHERE OLD.id = 1 DO INSTEAD NOTHING;
        CREATE VIEW seen AS SELECT * FROM ruled;
        CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ruled VALUES (NEW.*); RETURN NEW; END $$;
        CREATE TRIGGER put INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION put();
        CREATE FUNCTION definer() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT current_user::text';
        REVOKE EXECUTE ON FUNCTION definer() FROM PUBLIC; GRANT EXECUTE ON FUNCTION definer() TO pg_monitor;
        CREATE STATISTICS stat_s (ndistinct, dependencies, mcv) ON a, b FROM stat; CREATE STATISTICS stat_e ON (a + b), lower(c) FROM stat;
        ALTER STATISTICS stat_s SET STATISTICS 500; ALTER TABLE stat ALTER a SET STATISTICS 700, ALTER a SET (n_distinct = -0.5);
        CREATE INDEX stat_lower ON stat (lower(c)); ALTER INDEX stat_lower ALTER COLUMN 1 SET STATISTICS 300;
        COMMENT ON TABLE stat IS 'it''s ; \ "c" 🐦'; COMMENT ON COLUMN stat.a IS 'column'; COMMENT ON INDEX stat_lower IS 'index';
        COMMENT ON CONSTRAINT ruled_pkey ON ruled IS 'constraint'; COMMENT ON INDEX ruled_pkey IS 'its index';
        COMMENT ON CONSTRAINT circle_a_b_fkey ON circle_a IS 'foreign key'; COMMENT ON STATISTICS stat_s IS 'statistics';
        COMMENT ON RULE log ON ruled IS 'rule'; COMMENT ON TRIGGER put ON seen IS 'trigger'; COMMENT ON POLICY own ON secured IS 'policy';
        COMMENT ON SCHEMA "Public" IS 'schema'; COMMENT ON FUNCTION definer() IS 'function'; COMMENT ON DOMAIN even IS 'domain';
        COMMENT ON TYPE mood IS 'type'; COMMENT ON VIEW seen IS 'view';
        GRANT SELECT ON stat TO pg_monitor WITH GRANT OPTION; GRANT UPDATE (b), INSERT (a, b) ON stat TO pg_signal_backend;
        CREATE SEQUENCE alone; COMMENT ON SEQUENCE alone IS 'sequence'; GRANT ALL ON SEQUENCE alone TO pg_monitor WITH GRANT OPTION;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor;
        ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO pg_signal_backend WITH GRANT OPTION;
        CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
        CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'x', password 'y');
        CREATE FOREIGN TABLE far (id int, v text) SERVER elsewhere;
        CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert'); CREATE PUBLICATION partly FOR TABLE published (id, a) WHERE (id > 10);
        CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM parent; CREATE MATERIALIZED VIEW after AS SELECT n + 1 AS n FROM counted;
        CREATE UNIQUE INDEX ON after (n); CREATE MATERIALIZED VIEW empty AS SELECT 1 AS x WITH NO DATA;
        """#

    /// Objects that take the place of the system's for whoever looks into `public` first, and a database that lets all do so.
    static let shadows: SQL = #"""
        CREATE FUNCTION count(int) RETURNS int LANGUAGE sql AS 'SELECT 666'; CREATE FUNCTION format(text, text) RETURNS text LANGUAGE sql AS
            $$ SELECT 'hijacked' $$;
        CREATE FUNCTION hijack(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked operator'; END $$;
        CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, PROCEDURE = hijack);
        CREATE TABLE public.pg_class (oid int PRIMARY KEY); INSERT INTO public.pg_class VALUES (1); CREATE VIEW pg_publication AS SELECT 1 AS boo;
        DO $$ BEGIN EXECUTE pg_catalog.concat('ALTER DATABASE ', current_database(), ' SET search_path = public, pg_catalog'); END $$;
        DO $$ BEGIN EXECUTE pg_catalog.concat('ALTER DATABASE ', current_database(), ' SET default_transaction_isolation = serializable'); END $$
        """#

    /// A table with as many columns as there can be.
    static let wide: SQL = #"""
        DO $$ BEGIN
            EXECUTE pg_catalog.concat('CREATE TABLE public.wide (id int PRIMARY KEY, ', (SELECT pg_catalog.string_agg(
                pg_catalog.concat('c', n, ' int'), ', ') FROM pg_catalog.generate_series(1, 1599) n), ')');
            INSERT INTO public.wide (id, c1, c1599) VALUES (1, 1, 1), (2, 2, 2);
        END $$
        """#

    /// Event triggers that refuse what a session called martlet defines or drops.
    static let guards: SQL = #"""
        SET search_path = pg_catalog, public;
        CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF pg_catalog.current_setting('application_name') OPERATOR(pg_catalog.~~) 'martlet%' THEN RAISE 'no DDL: %', tg_tag; END IF;
        END $$;
        CREATE EVENT TRIGGER no_ddl ON ddl_command_end EXECUTE FUNCTION public.refuse(); COMMENT ON EVENT TRIGGER no_ddl IS 'event trigger';
        CREATE EVENT TRIGGER no_drop ON sql_drop EXECUTE FUNCTION public.refuse()
        """#

    /// Changes of all tables, while they are followed.
    static let changes: SQL = #"""
        SET search_path = pg_catalog, public;
        INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
        DELETE FROM nothing WHERE ctid = (SELECT min(ctid) FROM nothing);
        UPDATE "Public".t SET v = 'P2'; INSERT INTO "PUBLIC".t VALUES (2, 'x'); DELETE FROM public.t;
        UPDATE "select.from ""🐦"""."table" SET "a""b" = 9, "🐦" = 77;
        UPDATE secured SET who = 'x' WHERE id = 1; INSERT INTO secured VALUES (3, 'y');
        UPDATE parent SET v = v || '!'; DELETE FROM ONLY parent; INSERT INTO child VALUES (5, 'z', 7);
        INSERT INTO published VALUES (2, 2, 2); UPDATE published SET b = b + 1, id = id + 100;
        UPDATE cash SET m = m * 3; UPDATE squeezed SET t = t || 'q';
        UPDATE wide SET c1 = 5, c800 = 3; DELETE FROM wide WHERE id = 2; INSERT INTO wide (id) VALUES (9);
        UPDATE evens SET v = 8, a = a || 10::even; INSERT INTO evens VALUES (6, 8, 'b', '{8}');
        UPDATE public.pg_class SET oid = 3; UPDATE stat SET b = 1 WHERE a < 10; TRUNCATE allowed;
        BEGIN; UPDATE circle_a SET b = NULL; DELETE FROM circle_b; INSERT INTO circle_b VALUES (2, 1); UPDATE circle_a SET b = 2; COMMIT;
        UPDATE moody SET m = 'alpha' WHERE id < 50; DELETE FROM moody WHERE id > 80; INSERT INTO ruled VALUES (3, 'c'); DELETE FROM ruled
        """#

    /// Changes on the new server, which flow back.
    static let changesThere: SQL = #"""
        SET search_path = pg_catalog, public;
        INSERT INTO ruled VALUES (7, 'g'); UPDATE moody SET m = 'zorro' WHERE id % 3 = 0; DELETE FROM nothing WHERE ctid = (SELECT min(ctid) FROM nothing);
        INSERT INTO nothing DEFAULT VALUES; INSERT INTO wide (id, c1599) VALUES (77, 1); UPDATE ruled_log SET v = 'k';
        INSERT INTO secured VALUES (9, 'z'); UPDATE child SET v = 'back'; UPDATE squeezed SET p = p || 'x'
        """#
}
