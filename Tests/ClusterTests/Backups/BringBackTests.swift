import Foundation
import Postgres
import TestSupport
import Testing

@testable import Cluster

struct BringBackTests {
    private static let tables: SQL = """
        CREATE TABLE customers (id int PRIMARY KEY);
        INSERT INTO customers SELECT generate_series(1, 100);
        CREATE TABLE "Or ders" (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customers,
            note text CHECK (note <> ''), doubled bigint GENERATED ALWAYS AS (customer * 2) STORED);
        CREATE INDEX ON "Or ders" (customer);
        CREATE TABLE lines (order_id bigint REFERENCES "Or ders", n int);
        CREATE VIEW totals AS SELECT customer, count(*) FROM "Or ders" GROUP BY 1;
        CREATE VIEW large AS SELECT * FROM totals WHERE count > 1;
        CREATE ROLE reader; GRANT SELECT ON "Or ders", totals TO reader;
        COMMENT ON TABLE "Or ders" IS 'it''s here';
        INSERT INTO "Or ders" (customer, note) SELECT 1 + n % 100, 'n' || n FROM generate_series(1, 2000) AS n;
        INSERT INTO lines SELECT id, 1 FROM "Or ders"
        """

    @Test(.timeLimit(.minutes(10)))
    func `a table dropped under load comes back with its last rows and all that CASCADE took, twice`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let place = try #require(try await sandboxes.start("shop").connection())
            try await execute(place, Self.tables)
            _ = try await Backups(of: sandboxes).take(of: "shop") { _, _ in }
            let insert = Workload.Operation(
                name: "insert",
                weight: 1,
                statement: #"INSERT INTO "Or ders" (customer, note) VALUES (1 + $1::bigint % 100, 'later')"#
            )
            var plan = Workload.Plan(operations: [insert], readOperations: [])
            plan.readers = 0
            let board = Switchboard(Switchboard.Line(name: "shop", connection: place))
            let written = try await withWorkload(plan, on: board) { workload in
                try await eventually("rows are written") { workload.writers.total > 200 }
                try await execute(place, #"DROP TABLE "Or ders" CASCADE"#)
                try await eventually("writers notice it") { workload.writers.firstSurprise != nil }
                return workload.writers
            }
            let rows = 2000 + written.total
            let loss = try await lost(#""Or ders""#, sandboxes)
            #expect(loss.kind == .dropped && loss.rows == rows)
            let report = try await bringBack(loss, merges: false, sandboxes)
            #expect(report.tables.map(\.now) == [rows] && report.tables.map(\.before) == [rows])
            #expect(try await ask(place, "SELECT count(*) > 0 FROM large") == "t")
            #expect(
                try await ask(place, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated") == "2"
            )
            #expect(try await ask(place, #"SELECT has_table_privilege('reader', '"Or ders"', 'SELECT')"#) == "t")
            #expect(try await ask(place, #"SELECT obj_description('"Or ders"'::regclass)"#) == "it's here")
            try await execute(place, #"INSERT INTO "Or ders" (customer, note) VALUES (1, 'new')"#)

            // The second time somebody has made a new one already.
            try await execute(
                place,
                #"DROP TABLE "Or ders" CASCADE; CREATE TABLE "Or ders" (id bigint PRIMARY KEY, customer int, note text); INSERT INTO "Or ders" VALUES (1, 7, 'mine')"#
            )
            let second = try await lost(#""Or ders""#, sandboxes)
            #expect(second.rows == rows + 1 && second.place > loss.place)
            let refused = await #expect(throws: PostgresError.self) {
                try await bringBack(second, merges: false, sandboxes)
            }
            #expect(refused?.hint?.contains("--merge") == true)
            let merged = try await bringBack(second, merges: true, sandboxes)
            #expect(merged.problems.isEmpty)
            #expect(merged.merged == rows)
            #expect(try await ask(place, #"SELECT note FROM "Or ders" WHERE id = 1"#) == "mine")
            #expect(try await ask(place, "SELECT count(*) > 0 FROM large") == "t")
            #expect(sandboxes.list().map(\.name) == ["shop"])
        }
    }

    /// What is easily forgotten: row security, rights, children, materialized views, schemas, triggers, sequences.
    @Test(.timeLimit(.minutes(10)))
    func `a table comes back as closed, as full and as quiet as it was`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let place = try #require(try await sandboxes.start("shop").connection())
            try await execute(
                place,
                """
                CREATE ROLE reader; CREATE SCHEMA sales; CREATE TABLE fired (a int);
                CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.fired VALUES (1); RETURN NEW; END';
                CREATE TABLE sales."Or ders" (id bigserial PRIMARY KEY, note text);
                CREATE TABLE sales.child () INHERITS (sales."Or ders");
                INSERT INTO sales."Or ders" (note) SELECT 'n' FROM generate_series(1, 50);
                INSERT INTO sales.child (note) SELECT 'c' FROM generate_series(1, 7);
                ALTER TABLE sales."Or ders" ENABLE ROW LEVEL SECURITY;
                CREATE POLICY mine ON sales."Or ders" FOR SELECT TO reader USING (false);
                CREATE TRIGGER t BEFORE INSERT ON sales."Or ders" FOR EACH ROW EXECUTE FUNCTION fire();
                CREATE MATERIALIZED VIEW sums AS SELECT note, count(*) FROM sales."Or ders" GROUP BY 1;
                CREATE TABLE lines (order_id bigint REFERENCES sales."Or ders");
                COMMENT ON CONSTRAINT lines_order_id_fkey ON lines IS 'why';
                CREATE TABLE other (b int); CREATE VIEW joined AS SELECT * FROM sales."Or ders", other;
                ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC
                """
            )
            _ = try await Backups(of: sandboxes).take(of: "shop") { _, _ in }
            try await execute(place, "BEGIN; SAVEPOINT s; DROP SCHEMA sales CASCADE; DROP TABLE other CASCADE; COMMIT")
            let table = #"sales."Or ders""#
            let loss = try await lost(table, sandboxes)
            #expect(loss.rows == 57)
            let report = try await bringBack(loss, merges: false, sandboxes)
            #expect(report.tables.map(\.before) == [50, 7] && report.tables.map(\.now) == [50, 7])
            #expect(report.problems == ["view public.joined: it needs table public.other, which is not there"])
            for (question, answer) in [
                (#"SELECT relrowsecurity FROM pg_class WHERE oid = 'sales."Or ders"'::regclass"#, "t"),
                (#"SELECT has_table_privilege('reader', 'sales."Or ders"', 'SELECT')"#, "f"),
                ("SELECT sum(count) FROM sums", "57"), ("SELECT count(*) FROM fired", "0"),
                (#"SELECT nextval('sales."Or ders_id_seq"')"#, "58"),
                ("SELECT convalidated FROM pg_constraint WHERE conname = 'lines_order_id_fkey'", "t"),
            ] as [(SQL, String)] {
                #expect(try await ask(place, question) == answer, "\(question)")
            }

            // A TRUNCATE takes rows only; what fires triggers has fired.
            try await execute(
                place,
                #"ALTER TABLE lines DROP CONSTRAINT lines_order_id_fkey; DROP MATERIALIZED VIEW sums; TRUNCATE ONLY sales."Or ders""#
            )
            let emptied = try await lost(table, sandboxes)
            #expect(emptied.kind == .emptied)
            let back = try await bringBack(emptied, merges: true, sandboxes)
            #expect(back.merged == 50 && back.objects.isEmpty)
            #expect(try await ask(place, "SELECT count(*) FROM fired") == "0")
            #expect(try await ask(place, "SELECT to_regclass('sums') IS NULL") == "t")
            #expect(sandboxes.list().map(\.name) == ["shop"])
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a partition comes back into its table, and rows of a whole table into new partitions`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let place = try #require(try await sandboxes.start("shop").connection())
            try await execute(
                place,
                """
                CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
                CREATE INDEX ON events (at);
                CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
                CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
                INSERT INTO events SELECT i, date '2026-01-10' + 31 * (i % 2) FROM generate_series(1, 100) AS i
                """
            )
            _ = try await Backups(of: sandboxes).take(of: "shop") { _, _ in }
            try await execute(place, "DROP TABLE events_1")
            let one = try await lost("events_1", sandboxes)
            let first = try await bringBack(one, merges: false, sandboxes)
            #expect(first.tables.map(\.now) == [50] && first.problems.isEmpty)
            #expect(try await ask(place, "SELECT count(*) FROM events") == "100")
            #expect(
                try await ask(
                    place,
                    "SELECT count(*) FROM pg_index WHERE indrelid = 'events_1'::regclass AND indisvalid"
                ) == "2"
            )

            try await execute(
                place,
                """
                DROP TABLE events; CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY HASH (id);
                CREATE TABLE events_a PARTITION OF events FOR VALUES WITH (modulus 1, remainder 0);
                INSERT INTO events VALUES (1, '2026-02-10')
                """
            )
            let whole = try await lost("events", sandboxes)
            let second = try await bringBack(whole, merges: true, sandboxes)
            #expect(second.merged == 99 && second.tables.map(\.now) == [100], "\(second)")
            #expect(try await ask(place, "SELECT to_regclass('events_1') IS NULL") == "t")
        }
    }

    private func lost(_ table: String, _ sandboxes: Sandboxes) async throws -> TableLoss {
        let search = LossSearch(in: .sandbox("shop"), database: "postgres", table: table, sandboxes)
        return try #require(try await search.run { _ in }.losses.last)
    }

    private func bringBack(_ loss: TableLoss, merges: Bool, _ sandboxes: Sandboxes) async throws -> BringBack.Report {
        try await BringBack(from: .sandbox("shop"), database: "postgres", loss, sandboxes)
            .run(merges: merges) { _ in }
    }
}
