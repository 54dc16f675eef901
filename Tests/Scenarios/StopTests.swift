import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Stops moves, and asks about them when nobody runs them.
struct StopTests {
    /// A terminal that is closed says SIGHUP, which whoever ran this with `nohup` has ignored.
    private static let signals = signalIsIgnored(SIGHUP) ? [SIGINT] : [SIGINT, SIGHUP]

    private static func signalIsIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    @Test(.timeLimit(.minutes(5)), arguments: signals)
    func `a move that was stopped says so everywhere`(number: Int32) async throws {
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let shop = try await ShopDatabase.create("shop", on: source.connection(), scale: 0.01)
                    try await execute(target.connection(), "CREATE DATABASE shop")
                    let move = TestMove(source: shop, target: target.connection(to: "shop"), directory: directory)
                    try await stop(move, by: number)
                    let verdict = try await move.run("verify")
                    #expect(verdict.error.contains("a move in phase \"following changes\" is stopped"))
                    try await startFromAnotherSource(move, source.connection())
                }
            }
        }
    }

    /// What was received is on one disk alone, once the source may forget it.
    @Test(.timeLimit(.minutes(5)))
    func `moves that share a work directory leave each other's spools alone`() async throws {
        let table: SQL = "CREATE TABLE t (id int PRIMARY KEY)"
        try await withMove(of: table) { move in
            try await withMove(of: table) { place in
                let other = TestMove(source: place.source, target: place.target, directory: move.directory)
                _ = try await move.run("migrate") { process in
                    try await move.untilFollowing()
                    try await move.must("pause")
                    try await execute(move.source, "INSERT INTO t SELECT generate_series(1, 20000)")
                    try await eventually("the source may forget it") {
                        let slot: SQL = """
                            SELECT confirmed_flush_lsn = pg_current_wal_lsn() FROM pg_replication_slots
                             WHERE database = current_database()
                            """
                        return try await ask(move.source, slot) == "t"
                    }
                    kill(process, SIGKILL)
                }
                _ = try await other.run("migrate") { _ in
                    try await other.untilFollowing()
                    try await other.must("abort")
                }
                try await move.must("resume")
                let migration = try await move.run("migrate") { _ in
                    try await move.untilFollowing()
                    try await move.mustBeEqual()
                    try await move.must("abort")
                }
                #expect(migration.status == 0, "\(migration.error)")
                let left = try FileManager.default.contentsOfDirectory(atPath: move.directory)
                #expect(left.allSatisfy { $0.hasSuffix(".log") || $0.hasSuffix(".tables") }, "\(left)")
            }
        }
    }

    private func stop(_ move: TestMove, by number: Int32) async throws {
        let migration = try await move.run("migrate") { process in
            try await move.untilFollowing()
            kill(process, number)
            // A terminal that is closed says it more than once.
            if number == SIGHUP { kill(process, number) }
        }
        #expect(migration.status == 130)
        #expect(migration.error.contains("martlet: stopped; nothing is lost"))
        #expect(!migration.error.contains("interrupted"))
        #expect(try log(of: move).contains("stopped: asked to by ^C or a signal"))
        let status = try await self.status(of: move)
        #expect(status["runner"] as? String == "stopped")
        #expect(status["phase"] as? String == "following")
        #expect(status["lag"] == nil && status["error"] == nil)
    }

    /// What fails is kept, and changes nothing of what is known about the move.
    private func startFromAnotherSource(_ move: TestMove, _ other: ConnectionString) async throws {
        let wrong = TestMove(source: other, target: move.target, directory: move.directory)
        let refused = try await wrong.run("migrate")
        #expect(refused.status == 1)
        let status = try await self.status(of: move)
        #expect(status["phase"] as? String == "following")
        #expect((status["id"] as? String)?.isEmpty == false)
        #expect((status["error"] as? String)?.contains("another source\nDETAIL: It was begun from") == true)
        #expect(
            try log(of: move).contains("error: the target holds an unfinished move from another source\n    DETAIL: ")
        )
    }

    private func status(of move: TestMove) async throws -> [String: Any] {
        let outcome = try await move.program("status", "--json", "--target", move.target.secretURI)
        try #require(outcome.status == 0, "\(outcome.error)")
        return try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }

    /// All log files of the move, whichever database and day they are named after.
    private func log(of move: TestMove) throws -> String {
        let files = try FileManager.default.contentsOfDirectory(atPath: move.directory).filter { $0.hasSuffix(".log") }
        return try files.map { try String(contentsOfFile: move.directory + "/" + $0, encoding: .utf8) }.joined()
    }
}
