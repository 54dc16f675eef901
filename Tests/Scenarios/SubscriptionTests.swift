import Postgres
import TestSupport
import Testing

/// Moves a database whose rows come from elsewhere.
struct SubscriptionTests {
    private static let table: SQL = "CREATE TABLE t (id int PRIMARY KEY, v text)"

    @Test(.timeLimit(.minutes(5)))
    func `what a subscription of the source brings is followed, and no cutover leaves it running`() async throws {
        try await withDatabase(on: TestServer.shared(.source)) { publisher in
            try await execute(publisher, Self.table + "; CREATE PUBLICATION theirs FOR TABLE t")
            try await withMove(of: Self.table) { move in
                let name = Identifier("fed_\(UInt32.random(in: 0 ... .max))")
                // Both are on one server, so the slot cannot be made by CREATE SUBSCRIPTION.
                try await execute(
                    publisher,
                    "SELECT pg_create_logical_replication_slot(\(literal: name.name), 'pgoutput')"
                )
                try await execute(
                    move.source,
                    """
                    CREATE SUBSCRIPTION \(name) CONNECTION \(literal: publisher.secretText) PUBLICATION theirs
                        WITH (create_slot = false)
                    """
                )
                let outcome: Result<Void, any Error>
                do {
                    outcome = .success(
                        try await move.follow(then: .none) { try await feed(move, from: publisher, name) }
                    )
                } catch {
                    outcome = .failure(error)
                }
                // A database that is subscribed cannot be dropped.
                try await execute(move.source, "ALTER SUBSCRIPTION \(name) DISABLE")
                try await execute(move.source, "ALTER SUBSCRIPTION \(name) SET (slot_name = NONE)")
                try await execute(move.source, "DROP SUBSCRIPTION \(name)")
                try outcome.get()
                let subscriptions: SQL = """
                    SELECT count(*) FROM pg_subscription
                     WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """
                #expect(try await ask(move.target, subscriptions) == "0")
            }
        }
    }

    private func feed(_ move: TestMove, from publisher: ConnectionString, _ name: Identifier) async throws {
        try await execute(publisher, "INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET v = 'c' WHERE id = 1")
        try await eventually("the rows arrive from beyond the source") {
            try await ask(move.target, "SELECT string_agg(v, ' ' ORDER BY id) FROM t") == "c b"
        }
        let refused = try await move.run("cutover")
        #expect(refused.status == 1)
        #expect(refused.error.contains("ALTER SUBSCRIPTION \(name.quoted) DISABLE"), "\(refused.error)")
        try await execute(move.source, "ALTER SUBSCRIPTION \(name) DISABLE")
        try await move.mustBeEqual()
        try await move.must("cutover")
        try await move.must("finish")
    }
}
