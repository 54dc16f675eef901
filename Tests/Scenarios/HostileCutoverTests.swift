import Foundation
import Postgres
import TestSupport
import Testing

/// Cutovers among people who do not know of them.
struct HostileCutoverTests {
    private static let tables: SQL = """
        CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 20);
        CREATE SEQUENCE free
        """

    @Test(.timeLimit(.minutes(5)))
    func `who holds on to a table is named, nobody else has to wait, and afterwards nobody gets past the fence`()
        async throws
    {
        try await withMoveFromOwnServer(of: Self.tables) { move in
            try await move.follow(then: .none) {
                try await withConnection(to: move.source, application: "night job") { writer in
                    try writer.execute("BEGIN; INSERT INTO t (v) VALUES ('open')")
                    try await refused(move, because: "night job")
                    // The fence that could not be put up is in nobody's way.
                    try await execute(move.source, "INSERT INTO t (v) VALUES ('goes on')")
                    try writer.execute("PREPARE TRANSACTION 'forgotten'")
                }
                try await refused(move, because: #"prepared transaction "forgotten""#)
                try await execute(move.source, "COMMIT PREPARED 'forgotten'")
                try await withConnection(to: move.source) { reader in
                    try await withConnection(to: move.source) { stubborn in
                        // Who only reads, or has not written yet, is in nobody's way.
                        try reader.execute("BEGIN; SELECT count(*) FROM t")
                        try stubborn.execute(
                            "SET default_transaction_read_only = off; SET session_replication_role = replica"
                        )
                        try await move.must("cutover")
                        try reader.execute("COMMIT")
                        for attempt: SQL in ["INSERT INTO t (v) VALUES ('late')", "TRUNCATE t", "DELETE FROM ONLY t"] {
                            let error = #expect(throws: PostgresError.self) { try stubborn.execute(attempt) }
                            #expect(error?.sqlState == "25006")
                        }
                    }
                }
                try await execute(move.target, "INSERT INTO t (v) VALUES ('new')")
                try await move.must("rollback")
            }
            try await move.must("abort")
            #expect(
                try await ask(move.source, "SELECT string_agg(v, ',' ORDER BY id) FROM t WHERE v <> 'x'")
                    == "open,goes on,new"
            )
            try await execute(move.source, "INSERT INTO t (v) VALUES ('open again')")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `values that are drawn from a sequence all the time keep a cutover away`() async throws {
        try await withMoveFromOwnServer(of: Self.tables) { move in
            try await move.follow(then: .none) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    // Several, because one may not get its turn on a machine that has much to do.
                    for _ in 0..<4 {
                        group.addTask {
                            try await withConnection(to: move.source) { drawer in
                                while !Task.isCancelled {
                                    try drawer.query("SELECT count(nextval('free')) FROM generate_series(1, 1000000)")
                                }
                            }
                        }
                    }
                    try await refused(move, because: "values are drawn from sequences")
                    try await execute(move.source, "INSERT INTO t (v) VALUES ('goes on')")
                    group.cancelAll()
                    // A session that was cancelled while it drew says so.
                    while let _ = await group.nextResult() {}
                }
                try await move.must("cutover")
                let there = try await ask(move.target, "SELECT nextval('free')").flatMap { Int($0) }
                let here = try await ask(move.source, "SELECT last_value FROM free").flatMap { Int($0) }
                #expect(try #require(there) > #require(here))
                try await move.must("finish")
            }
        }
    }

    private func refused(_ move: TestMove, because reason: String) async throws {
        let refused = try await move.run("cutover")
        #expect(refused.status == 1)
        #expect(refused.error.contains(reason), "\(refused.error)")
        #expect(try await ask(move.target, "SELECT phase FROM martlet.migration") == "following")
        #expect(try await ask(move.source, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'martlet%'") == "0")
    }
}
