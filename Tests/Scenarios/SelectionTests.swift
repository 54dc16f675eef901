import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Moves a part of a database, and moves as somebody who may not do everything.
struct SelectionTests {
    /// Tables, and every kind of object that needs one of them.
    private static let shop: SQL = """
        CREATE TABLE orders (id int PRIMARY KEY, note text);
        CREATE TABLE order_line (id serial PRIMARY KEY, order_id int REFERENCES orders, qty int);
        CREATE TABLE refund (id int PRIMARY KEY, line int REFERENCES order_line);
        CREATE VIEW lines AS SELECT o.note, l.* FROM orders o JOIN order_line l ON l.order_id = o.id;
        COMMENT ON VIEW lines IS 'of all orders';
        GRANT SELECT ON lines TO PUBLIC;
        CREATE VIEW more AS SELECT * FROM lines;
        CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM more;
        CREATE INDEX ON counts (n);
        CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM orders;
        CREATE FUNCTION total(o int) RETURNS bigint LANGUAGE sql
            BEGIN ATOMIC SELECT sum(qty) FROM order_line WHERE order_id = o; END;
        COMMENT ON FUNCTION total(int) IS 'of an order';
        CREATE FUNCTION line(i int) RETURNS SETOF order_line LANGUAGE sql AS 'SELECT * FROM order_line WHERE id = i';
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER stays AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
        CREATE TRIGGER goes AFTER INSERT ON order_line FOR EACH ROW EXECUTE FUNCTION nothing();
        CREATE RULE goes AS ON INSERT TO orders DO ALSO DELETE FROM order_line WHERE id = 0;
        COMMENT ON RULE goes ON orders IS 'with it';
        CREATE POLICY goes ON orders USING (EXISTS (SELECT FROM order_line l WHERE l.order_id = orders.id));
        CREATE POLICY stays ON orders USING (id > 0);
        CREATE TYPE pair AS (a int, l order_line);
        CREATE STATISTICS s ON order_id, qty FROM order_line;
        CREATE PUBLICATION theirs FOR TABLE order_line, orders;
        INSERT INTO orders VALUES (1, 'a');
        INSERT INTO order_line (order_id, qty) VALUES (1, 2);
        INSERT INTO refund VALUES (1, 1)
        """

    @Test(.databasePair) func `what needs a table that is left out is left out too`() async throws {
        let pair = DatabasePair.current
        try await execute(pair.source, Self.shop)
        try await withTemporaryDirectory { directory in
            let move = TestMove(source: pair.source, target: pair.target, directory: directory)
            let outcome = try await move.run("migrate", ["--once", "--exclude", "order_line"])
            try #require(outcome.status == 0, "\(outcome.error)")
            #expect(outcome.error.contains("need tables that are left out, and are left out too: "))
            #expect(outcome.error.contains("warning: 1 foreign key refers to tables that are left out"))
            let there = """
                SELECT string_agg(name, ' ' ORDER BY name COLLATE "C") FROM (
                    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm')
                    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                    UNION ALL SELECT tgname || ' (trigger)' FROM pg_trigger
                    UNION ALL SELECT polname || ' (policy)' FROM pg_policy
                    UNION ALL SELECT rulename || ' (rule)' FROM pg_rewrite WHERE rulename = 'goes'
                    UNION ALL SELECT conname FROM pg_constraint WHERE contype = 'f'
                ) AS o (name)
                """
            #expect(
                try await ask(pair.target, SQL(trusting: there))
                    == "kept nothing orders refund stays (policy) stays (trigger)"
            )
            #expect(try await ask(pair.target, "SELECT n FROM kept") == "1")
            let finished = try await move.run("finish")
            #expect(finished.status == 0, "\(finished.error)")
        }
    }

    @Test(.databasePair) func `an include that matches no table ends before anything is made`() async throws {
        let pair = DatabasePair.current
        try await execute(pair.source, "CREATE TABLE orders (id int PRIMARY KEY)")
        try await withTemporaryDirectory { directory in
            let move = TestMove(source: pair.source, target: pair.target, directory: directory)
            let outcome = try await move.run("migrate", ["--include", "order"])
            #expect(outcome.status == 2)
            #expect(outcome.error.contains("1 --include pattern matches no table: \"order\""))
            #expect(try await ask(pair.target, "SELECT to_regnamespace('martlet')::text") == nil)
            #expect(try await ask(pair.source, "SELECT count(*) FROM pg_publication") == "0")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a role that may only read the source, and owns the target, copies once`() async throws {
        try await withServer { server in
            let admin = server.connection()
            try await execute(admin, "CREATE ROLE plain LOGIN")
            try await execute(admin, "GRANT pg_read_all_data TO plain")
            for name in ["old", "new"] { try await execute(admin, "CREATE DATABASE \(Identifier(name))") }
            try await execute(admin, "ALTER DATABASE new OWNER TO plain")
            try await execute(
                server.connection(to: "old"),
                """
                CREATE TABLE orders (id int PRIMARY KEY);
                CREATE TABLE line (id serial PRIMARY KEY, o int REFERENCES orders);
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
                INSERT INTO orders VALUES (1);
                INSERT INTO line (o) VALUES (1);
                CREATE TRIGGER t BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION refuse()
                """
            )
            try await withTemporaryDirectory { directory in
                let move = TestMove(
                    source: server.connection(to: "old").with("user", "plain"),
                    target: server.connection(to: "new").with("user", "plain"),
                    directory: directory
                )
                let options = ["--once", "--no-owner", "--no-privileges"]
                let assessed = try await move.run("migrate", options + ["--dry-run"])
                #expect(assessed.status == 0, "\(assessed.output)")
                let outcome = try await move.run("migrate", options)
                #expect(outcome.status == 0, "\(outcome.error)")
                let rows: SQL = "SELECT o FROM line"
                #expect(try await ask(server.connection(to: "new"), rows) == "1")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a rollback leaves alone what tables that were not moved have used meanwhile`() async throws {
        let definitions: SQL = """
            CREATE TABLE moved (id serial PRIMARY KEY); CREATE TABLE stays (id serial PRIMARY KEY, picture oid);
            INSERT INTO moved DEFAULT VALUES; INSERT INTO stays (picture) VALUES (lo_from_bytea(81001, 'old'));
            SELECT lo_from_bytea(81002, 'old'), lo_from_bytea(81003, 'old')
            """
        let pictures: SQL = """
            SELECT string_agg(format('%s %s', oid, convert_from(lo_get(oid), 'UTF8')), '; ' ORDER BY oid)
              FROM pg_largeobject_metadata WHERE oid BETWEEN 81001 AND 81009
            """
        try await withMove(of: definitions) { move in
            let migration = try await move.run("migrate", ["--exclude", "stays"]) { process in
                try await move.untilFollowing(process)
                try await move.must("cutover")
                try await execute(
                    move.source,
                    """
                    INSERT INTO stays (picture) SELECT lo_from_bytea(81003 + n, 'theirs') FROM generate_series(1, 2) AS n;
                    SELECT lo_put(81001, 0, 'OLD')
                    """
                )
                try await execute(
                    move.target,
                    "INSERT INTO moved DEFAULT VALUES; SELECT lo_put(81002, 0, 'new'), lo_from_bytea(81006, 'new')"
                )
                try await execute(move.target, "SELECT lo_put(81001, 0, 'two')")
                let refused = try await move.run("rollback")
                #expect(refused.status == 1)
                #expect(refused.error.contains("were changed on both servers since the cutover"), "\(refused.error)")
                #expect(refused.error.contains("Objects: 81001."), "\(refused.error)")
                try await execute(move.target, "SELECT lo_put(81001, 0, 'OLD')")
                try await move.must("rollback")
            }
            #expect(migration.status == 0, "\(migration.error)")
            let expected = "81001 OLD; 81002 new; 81003 old; 81004 theirs; 81005 theirs; 81006 new"
            #expect(try await ask(move.source, pictures) == expected)
            #expect(try await ask(move.source, "SELECT nextval('stays_id_seq')") == "4")
            #expect(try await ask(move.source, "SELECT nextval('moved_id_seq')") == "3")
            try await move.must("abort")
            for place in [move.source, move.target] {
                try await execute(place, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
            }
        }
    }
}
