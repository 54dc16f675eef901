import Cluster
import Postgres
import TestSupport
import Testing

/// Relations whose rows are in no log, and what else is not a plain row.
struct Pitfall17OtherRelationTests {
    @Test(.timeLimit(.minutes(5)))
    func
        `pitfall 17: unlogged tables are copied once, views over views are filled in order, foreign tables are defined`()
        async throws
    {
        let definitions: SQL = """
            CREATE UNLOGGED TABLE u (id int PRIMARY KEY, n int); INSERT INTO u VALUES (1, 1);
            CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1), (2, 2);
            CREATE MATERIALIZED VIEW z1 AS SELECT id, n * 2 AS n FROM t; CREATE VIEW v AS SELECT * FROM z1;
            CREATE MATERIALIZED VIEW a2 AS SELECT sum(n) AS n FROM v; CREATE MATERIALIZED VIEW b3 AS SELECT n + 1 AS n FROM a2;
            CREATE UNIQUE INDEX ON z1 (id); CREATE MATERIALIZED VIEW empty AS SELECT 1 AS n WITH NO DATA;
            CREATE FOREIGN DATA WRAPPER nobody; CREATE SERVER nowhere FOREIGN DATA WRAPPER nobody;
            CREATE FOREIGN TABLE far (id int) SERVER nowhere; CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (9); INSERT INTO parts VALUES (1)
            """
        try await withMove(of: definitions) { move in
            try await move.follow(then: .finish) {
                #expect(try await ask(move.target, "SELECT n FROM b3") == "7")
                #expect(
                    try await ask(move.target, "SELECT relispopulated FROM pg_class WHERE relname = 'empty'") == "f"
                )
                let members =
                    "SELECT count(*) FROM pg_publication_tables WHERE tablename IN ('u', 'z1', 'far', 'v')" as SQL
                #expect(try await ask(move.source, members) == "0")
                // The owner's own changes of what is not published work as ever.
                try await move.write(
                    "UPDATE u SET n = 2; DELETE FROM u; INSERT INTO t VALUES (3, 3); REFRESH MATERIALIZED VIEW z1"
                )
            }
            #expect(try await ask(move.target, "SELECT n FROM u") == "1")
            #expect(try await ask(move.target, "SELECT count(*) FROM pg_foreign_table") == "1")
            try await execute(move.target, "REFRESH MATERIALIZED VIEW CONCURRENTLY z1; REFRESH MATERIALIZED VIEW a2")
            #expect(try await ask(move.target, "SELECT n FROM a2") == "12")
        }
    }

    /// pg_dump makes a view that groups by a primary key after the rows, and an empty one before.
    @Test(.timeLimit(.minutes(5)), arguments: [[], ["--once"]])
    func `pitfall 17: materialized views see views by a primary key, and what policies show to their owner`(
        options: [String]
    ) async throws {
        let definitions: SQL = """
            CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE line (id int PRIMARY KEY, order_id int REFERENCES orders);
            INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 10) AS n;
            INSERT INTO line SELECT n, 1 + n % 10 FROM generate_series(1, 100) AS n;
            CREATE VIEW v AS SELECT o.id, o.note, count(*) AS n FROM orders AS o JOIN line AS l ON l.order_id = o.id GROUP BY o.id;
            CREATE MATERIALIZED VIEW over AS SELECT * FROM v;
            CREATE MATERIALIZED VIEW direct AS SELECT o.id, o.note, count(*) AS n
              FROM orders AS o JOIN line AS l ON l.order_id = o.id GROUP BY o.id;
            CREATE TABLE secret (id int PRIMARY KEY); INSERT INTO secret VALUES (1), (2);
            ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;
            CREATE POLICY mine ON secret USING (id > 1);
            CREATE MATERIALIZED VIEW shown AS SELECT * FROM secret;
            CREATE TABLE wide (a int PRIMARY KEY, b int, c int); INSERT INTO wide SELECT n, n % 10, n % 10 FROM generate_series(1, 1000) AS n;
            CREATE STATISTICS of_wide ON b, c FROM wide;
            CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (100); INSERT INTO parts SELECT generate_series(1, 50)
            """
        try await withMove(of: definitions) { move in
            func compare() async throws {
                for view in ["over", "direct", "shown"] {
                    let rows: SQL = "SELECT count(*) || ' ' || sum(id) FROM \(Identifier(view))"
                    #expect(try await ask(move.target, rows) == ask(move.source, rows), "\(view)")
                }
                let statistics: SQL = """
                    SELECT (SELECT count(*) FROM pg_statistic_ext_data)
                        || ' ' || (SELECT count(*) FROM pg_stats WHERE tablename = 'parts' AND inherited)
                    """
                #expect(try await ask(move.target, statistics) == "1 1")
            }
            guard options.isEmpty else {
                try await move.must("migrate", "--once")
                return try await compare()
            }
            try await move.follow { try await compare() }
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [(14, 18), (18, 18)])
    func `pitfalls 8 and 15: generated columns and types of the database's own arrive, also on another version`(
        from: Int,
        to: Int
    ) async throws {
        let virtual: SQL = from >= 18 ? "VIRTUAL" : "STORED"
        let definitions: SQL = """
            CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE SCHEMA app;
            CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
            CREATE TYPE app.pair AS (m app.mood, n numeric, h hstore); CREATE DOMAIN app.pairs AS app.pair[] CHECK (cardinality(VALUE) < 9);
            CREATE TYPE app.span AS RANGE (subtype = numeric);
            CREATE TABLE v (id int PRIMARY KEY, m app.mood[], p app.pair, ps app.pairs, s app.span, h hstore[], c citext, e app.mood,
                twice int GENERATED ALWAYS AS (id * 2) STORED, low text GENERATED ALWAYS AS ('n' || id::text) \(virtual));
            CREATE TABLE keyed (m app.mood, c citext, n int, PRIMARY KEY (m, c));
            INSERT INTO v SELECT i, '{happy,NULL,sad}', ('ok', i / 3.0, 'a=>1')::app.pair, ARRAY[('sad', NULL, NULL)::app.pair], '[1.5,7]', '{a=>1,NULL}', 'MiX', 'ok'
              FROM generate_series(1, 5) i; INSERT INTO keyed VALUES ('sad', 'One', 0), ('ok', 'two', 0)
            """
        try await withMove(from: from, to: to, of: definitions) { move in
            // Types of the target get other OIDs than those of the source.
            try await execute(
                move.target,
                "CREATE TYPE other AS ENUM ('x'); CREATE TYPE more AS (a int); DROP TYPE other, more"
            )
            try await move.follow(then: .finish) {
                try await move.write(
                    "UPDATE v SET m = m || '{ok}', p = ('happy', 'NaN', NULL)::app.pair, s = 'empty', e = 'sad' WHERE id < 3",
                    "INSERT INTO v (id, ps, c) VALUES (10, ARRAY[]::app.pair[], 'NEW'); DELETE FROM v WHERE id = 5; UPDATE v SET id = 50 WHERE id = 4",
                    "UPDATE keyed SET n = 1; UPDATE keyed SET m = 'happy', c = 'ONE' WHERE c = 'one'; DELETE FROM keyed WHERE c = 'TWO'"
                )
            }
            #expect(try await ask(move.target, "SELECT twice || low FROM v WHERE id = 10") == "20n10")
            #expect(try await ask(move.target, "SELECT string_agg(m::text || c || n, ',') FROM keyed") == "happyONE1")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func
        `pitfall 18: a prepared transaction arrives when it commits, and a cutover waits for nobody who may never come`()
        async throws
    {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1)") { move in
            try await move.follow(then: .finish) {
                let name = "it's \(UInt64.random(in: 0 ... .max))"
                try await move.write(
                    "BEGIN; UPDATE t SET n = 2; INSERT INTO t VALUES (2, 2); PREPARE TRANSACTION \(literal: name)"
                )
                let refused = try await move.run("cutover")
                #expect(refused.status != 0)
                #expect(refused.error.contains("prepared transaction \"\(name)\""), "\(refused.error)")
                #expect(try await ask(move.target, "SELECT count(*) FROM t") == "1")
                try await move.write("COMMIT PREPARED \(literal: name)", "INSERT INTO t VALUES (3, 3)")
            }
            #expect(
                try await ask(move.target, "SELECT string_agg(id || '=' || n, ' ' ORDER BY id) FROM t") == "1=2 2=2 3=3"
            )
        }
    }
}
