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
            let loss = try await lost(sandboxes)
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
            let second = try await lost(sandboxes)
            #expect(second.rows == rows + 1 && second.place > loss.place)
            let refused = await #expect(throws: PostgresError.self) {
                try await bringBack(second, merges: false, sandboxes)
            }
            #expect(refused?.hint?.contains("--merge") == true)
            let merged = try await bringBack(second, merges: true, sandboxes)
            #expect(merged.merged == rows)
            #expect(try await ask(place, #"SELECT note FROM "Or ders" WHERE id = 1"#) == "mine")
            #expect(try await ask(place, "SELECT count(*) > 0 FROM large") == "t")
            #expect(sandboxes.list().map(\.name) == ["shop"])
        }
    }

    private func lost(_ sandboxes: Sandboxes) async throws -> TableLoss {
        let search = LossSearch(in: "shop", database: "postgres", table: #""Or ders""#, sandboxes)
        return try #require(try await search.run { _ in }.last)
    }

    private func bringBack(_ loss: TableLoss, merges: Bool, _ sandboxes: Sandboxes) async throws -> BringBack.Report {
        try await BringBack(from: "shop", database: "postgres", table: #""Or ders""#, loss, sandboxes)
            .run(merges: merges) { _ in }
    }
}
