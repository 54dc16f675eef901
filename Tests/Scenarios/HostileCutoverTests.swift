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
    func `values that are drawn behind the fence are not drawn again on the new server`() async throws {
        try await withMoveFromOwnServer(of: Self.tables) { move in
            try await execute(move.source, "CREATE TABLE drawn (id bigint PRIMARY KEY)")
            try await move.follow(then: .none) {
                let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<4 {
                        group.addTask { try await Self.draw(move, count: 40) }
                    }
                    try await eventually("all draw") {
                        try await ask(move.source, "SELECT count(*) > 100 FROM drawn") == "t"
                    }
                    try await move.must("cutover")
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(try await ask(move.target, "SELECT count(*) FROM drawn") == "\(counts.reduce(0, +))")
                try await move.must("finish")
            }
        }
    }

    /// Writes values that it drew, each by two statements, until so many were written on the new server.
    ///
    /// Who is refused draws another value there, and writes the last one on the new server when that is open.
    private static func draw(_ move: TestMove, count: Int) async throws -> Int {
        let draw: SQL = "SELECT nextval('free') AS id"
        let write: SQL = "INSERT INTO drawn VALUES ($1)"
        return try await withConnection(to: move.source) { old in
            try await withConnection(to: move.target) { new in
                var written = 0
                var last: Int64 = 0
                var isOpen = false
                while !isOpen {
                    last = try old.query(draw).first?("id") ?? 0
                    do {
                        try old.query(write, last)
                        written += 1
                    } catch let error as PostgresError where error.sqlState == "25006" {
                        let phase = try new.query("SELECT phase, pg_sleep(0.01) FROM martlet.migration").first
                        isOpen = try phase?("phase") == "reversing"
                    }
                }
                for _ in 0..<count {
                    try new.query(write, last)
                    written += 1
                    last = try new.query(draw).first?("id") ?? 0
                }
                return written
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
