import Cluster
import Postgres
import TestSupport
import Testing

struct WorkloadTests {
    static let placing = [
        Workload.Operation(name: "place_order", weight: 1, statement: "SELECT shop_app.place_order($1)")
    ]

    @Test func `what is acknowledged is in the database, once`() async throws {
        try await withServer { server in
            let shop = try await ShopDatabase.create("shop", on: server.connection(), scale: 0.01)
            let before = try await Counts(shop)
            var plan = Workload.Plan(operations: Self.placing, readOperations: ShopDatabase.reading)
            plan.rate = 400
            let board = Switchboard(Switchboard.Line(name: "old", connection: shop))
            let workload = try await withWorkload(plan, on: board) { workload in
                try await eventually("work goes on", within: .seconds(60)) {
                    workload.writers.total > 200 && workload.readers.total > 10
                }
                #expect(workload.eachWriter.count == 4)
                try await workload.stop()
                return workload
            }
            let after = try await Counts(shop)
            let writers = workload.writers
            #expect(writers.unknown == 0 && writers.firstSurprise == nil)
            #expect(after.orders - before.orders == writers.acknowledged["old"])
            #expect(after.entries - before.entries == writers.total)
            #expect(writers.latency.count == writers.total)
            #expect(try #require(writers.longestPause).duration < .seconds(30))
            #expect(writers.crossings.isEmpty && workload.readers.errors.isEmpty)
        }
    }

    @Test func `a writer that is refused goes on with the same operation on the other server`() async throws {
        try await withServer { server in
            let old = try await ShopDatabase.create("old", on: server.connection(), scale: 0.01)
            let new = try await ShopDatabase.create("new", on: server.connection(), scale: 0.01)
            let before = (try await Counts(old), try await Counts(new))
            let lines = (Switchboard.Line(name: "old", connection: old), Switchboard.Line(name: "new", connection: new))
            let board = Switchboard(lines.0)
            var plan = Workload.Plan(operations: Self.placing, readOperations: ShopDatabase.reading)
            plan.rate = 400
            let workload = try await withWorkload(plan, on: board) { workload in
                try await eventually("work goes on", within: .seconds(60)) { workload.writers.total > 100 }
                try await withConnection(to: old) { try $0.execute(Self.fence) }
                try await eventually("work goes on", within: .seconds(60)) {
                    workload.eachWriter.allSatisfy { $0.retries > 1 }
                }
                board.connect(to: lines.1)
                try await eventually("work goes on", within: .seconds(60)) {
                    workload.writers.acknowledged["new"] ?? 0 > 100
                }
                try await workload.stop()
                return workload
            }
            let after = (try await Counts(old), try await Counts(new))
            let writers = workload.writers
            #expect(after.0.orders - before.0.orders == writers.acknowledged["old"])
            #expect(after.1.orders - before.1.orders == writers.acknowledged["new"])
            #expect(writers.errors == ["25006": writers.retries] && writers.unknown == 0)
            #expect(writers.crossings.count == 4)
            for pause in writers.crossings {
                #expect(pause.from == "old" && pause.to == "new" && pause.refusals > 1)
                #expect(pause.leaving > .milliseconds(20) && pause.working > .zero)
                #expect(pause.leaving + pause.connecting + pause.working == pause.duration)
            }
        }
    }

    @Test func `a broken connection is counted and opened again`() async throws {
        try await withServer { server in
            let shop = try await ShopDatabase.create("shop", on: server.connection(), scale: 0.01)
            let before = try await Counts(shop)
            let board = Switchboard(Switchboard.Line(name: "old", connection: shop))
            let workload = try await withWorkload(
                Workload.Plan(operations: Self.placing, readOperations: ShopDatabase.reading),
                on: board
            ) { workload in
                try await eventually("work goes on", within: .seconds(60)) { workload.writers.total > 50 }
                try await server.restart()
                let total = workload.writers.total
                try await eventually("work goes on", within: .seconds(60)) { workload.writers.total > total + 50 }
                try await workload.stop()
                return workload
            }
            let placed = try await Counts(shop).orders - before.orders
            let writers = workload.writers
            #expect((writers.total...writers.total + writers.unknown).contains(placed))
            #expect(!writers.errors.isEmpty && writers.firstSurprise == nil)
        }
    }

    @Test func `the shop's own questions hold after all operations`() async throws {
        try await withServer { server in
            let shop = try await ShopDatabase.create("shop", on: server.connection(), scale: 0.01)
            let plan = Workload.Plan(
                operations: try await ShopDatabase.operations(of: shop),
                readOperations: ShopDatabase.reading
            )
            let board = Switchboard(Switchboard.Line(name: "old", connection: shop))
            let writers = try await withWorkload(plan, on: board) { workload in
                try await eventually("work goes on", within: .seconds(60)) { workload.writers.total > 500 }
                try await workload.stop()
                return workload.writers
            }
            #expect(writers.firstSurprise == nil)
            #expect(ShopDatabase.checks.count > 25)
            try await withConnection(to: shop) { connection in
                for check in ShopDatabase.checks {
                    let row = try #require(try connection.query(check.question).first)
                    if check.mustBeZero { #expect(row.text(0) == "0", "\(check.name)") }
                }
            }
        }
    }

    /// What the fence of a cutover does to a writer.
    static let fence: SQL = """
        CREATE OR REPLACE FUNCTION shop_app.place_order(seed bigint) RETURNS integer LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'moved' USING ERRCODE = 'read_only_sql_transaction'; END $$
        """

    /// Placing an order writes one row of `orders`, and its trigger one of `audit_log`.
    struct Counts {
        let orders: Int
        let entries: Int

        init(_ database: ConnectionString) async throws {
            (orders, entries) = try await withConnection(to: database) { connection in
                let row = try #require(
                    try connection.query(
                        "SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM audit_log) AS entries"
                    ).first
                )
                return (try row("orders"), try row("entries"))
            }
        }
    }
}
