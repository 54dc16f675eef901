import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// What `make storm` has found, one test each.
struct FaultRegressionTests {
    private static let table: SQL =
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')"

    @Test(.timeLimit(.minutes(10)))
    func `a martlet that waits for a server does not begin anew what was aborted meanwhile`() async throws {
        try await withFaultyMove(of: Self.table) { move, servers in
            let outcome = try await move.run("migrate") { _ in
                try await move.untilFollowing()
                servers.targetWire.change { $0.refuses = true }
                servers.targetWire.cut()
                let direct = TestMove(
                    source: servers.source.connection(),
                    target: servers.target.connection(to: "copy"),
                    directory: move.directory
                )
                try await eventually("the lease is free") {
                    let locks: SQL = TestMove.leases
                    return try await ask(servers.directTarget, locks) == "0"
                }
                try await direct.must("abort")
                servers.targetWire.change { $0.refuses = false }
            }
            #expect(outcome.status == 1)
            #expect(
                outcome.error.contains("the move was ended while martlet could not reach a server"),
                "\(outcome.error)"
            )
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `sessions that linger at the servers do not keep martlet from going on`() async throws {
        try await withFaultyMove(of: Self.table) { move, servers in
            try await move.follow(then: .finish) {
                for wire in [servers.targetWire, servers.sourceWire] {
                    wire.sever()
                    try await execute(servers.directSource, "INSERT INTO t SELECT max(id) + 1, 'c' FROM t")
                    try await eventually("the row has arrived") {
                        let rows = try await ask(servers.directSource, "SELECT count(*) FROM t")
                        return try await ask(servers.directTarget, "SELECT count(*) FROM t") == rows
                    }
                    wire.bury()
                }
                try await move.untilFollowing()
            }
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: ["abort", "finish"])
    func `an end is told only when the journal is gone`(command: String) async throws {
        try await withMove(of: Self.table) { move in
            let outcome = try await move.dying(at: "after the answer to the end").run("migrate") { _ in
                try await move.untilFollowing()
                if command == "finish" { try await move.must("cutover") }
                try await move.must(command)
                #expect(try await move.leftovers() == "")
            }
            #expect(outcome.status == 128 + SIGKILL, "\(outcome.error)")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a cutover goes well while martlet's clock is a day off`() async throws {
        try await withMove(of: Self.table) { move in
            let clock = try WrongClock(directory: move.directory)
            var wrong = move
            wrong.program = clock.program
            for jump in [86_400, -86_400] {
                let outcome = try await wrong.run("migrate") { _ in
                    try await move.untilFollowing()
                    try clock.jump(seconds: jump)
                    try await whileWriting(to: move.source) { try await move.must("cutover") }
                    try await move.must("rollback")
                }
                #expect(outcome.status == 0, "\(outcome.error)")
                try await move.must("abort")
                try clock.jump(seconds: 0)
                #expect(try await move.leftovers() == "")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a table that stands still goes on, and the move ends, although martlet's clock was set back by a day`()
        async throws
    {
        try await withMove(of: Self.table) { move in
            let clock = try WrongClock(directory: move.directory)
            var wrong = move
            wrong.program = clock.program
            try await wrong.follow(then: .none) {
                try await execute(move.source, "ALTER TABLE t ADD COLUMN w int; INSERT INTO t VALUES (3, 'c', 1)")
                try await untilStanding(1, move)
                try clock.jump(seconds: -86_400)
                try await execute(move.target, "ALTER TABLE t ADD COLUMN w int")
                try await untilStanding(0, move)
                let yesterday = Date(timeIntervalSinceNow: -86_400).formatted(.iso8601.year().month().day())
                try await eventually("the log has lines of yesterday") {
                    try logs(of: move).contains("\n\(yesterday)T")
                }
                // Nothing is written any more: the lanes only wait, and must end nevertheless.
                try clock.jump(seconds: -2 * 86_400)
                try await move.must("abort")
            }
        }
    }

    private func logs(of move: TestMove) throws -> String {
        try FileManager.default.contentsOfDirectory(atPath: move.directory).filter { $0.hasSuffix(".log") }
            .map { try String(contentsOfFile: move.directory + "/" + $0, encoding: .utf8) }.joined()
    }

    private func untilStanding(_ count: Int, _ move: TestMove) async throws {
        try await eventually("\(count) tables stand still") {
            try await ask(move.target, "SELECT count(*) FROM martlet.position WHERE failure IS NOT NULL") == "\(count)"
        }
    }

    /// Updates one row again and again until the server refuses, so that the stream is never at its end.
    private func whileWriting(to place: ConnectionString, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withConnection(to: place, application: "writer") { connection in
                    while !Task.isCancelled {
                        do {
                            try connection.execute("UPDATE t SET v = md5(v) WHERE id = 1")
                        } catch let error as PostgresError where ["25006", "57014"].contains(error.sqlState) {
                            return
                        }
                    }
                }
            }
            try await body()
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}
