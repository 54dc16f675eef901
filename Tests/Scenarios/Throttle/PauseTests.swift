import Foundation
import Postgres
import TestSupport
import Testing

/// Holds moves by `martlet pause`, and lets them go on.
struct PauseTests {
    static let rows: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, pad text);
        INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 30000) i;
        """

    @Test(.timeLimit(.minutes(5)))
    func `a copy that is paused stays so over kill -9, receives meanwhile, and goes on`() async throws {
        try await withMove(of: Self.rows) { move in
            let killed = try await move.run("migrate", ["--max-rate", "500kB"]) { process in
                try await eventually("rows are copied") { try await bytes(move) > 1_000_000 }
                let paused = try await move.must("pause")
                #expect(paused.output.contains("paused: nothing is copied or applied until martlet resume"))
                try await stands(move)
                let status = try await move.must("status").output
                #expect(status.contains("paused by martlet pause at ") && status.contains("next: martlet resume"))
                #expect(status.contains("warning: the snapshot of the copy is open for "))
                try await refuses("cutover", move)
                kill(process, SIGKILL)
            }
            #expect(killed.status == 128 + SIGKILL)
            let stopped = try await move.must("status").output
            #expect(stopped.contains("paused by martlet pause at ") && stopped.contains("run martlet migrate again"))
            let migration = try await move.run("migrate") { process in
                try await eventually("the next martlet holds") { try await hold(move) == "paused" }
                try await execute(move.source, "INSERT INTO t SELECT i FROM generate_series(30001, 60000) i")
                try await eventually("changes are received") { try await spooled(move) > 1_000_000 }
                try await stands(move)
                // A limit is of the run that it was given to.
                #expect(try await ask(move.target, "SELECT report ->> 'maxRate' FROM martlet.status") == nil)
                #expect(try await move.must("resume").output.contains("goes on after having been paused for"))
                try await move.untilFollowing(process)
                try await move.mustBeEqual()
                try await move.must("abort")
            }
            #expect(migration.status == 0, "\(migration.error)")
        }
    }

    /// Nobody has to wait for the end of a copy that is not wanted any more.
    @Test(.timeLimit(.minutes(5)), arguments: [[], ["--once"]], [true, false])
    func `a copy can be aborted in the middle, paused or not`(options: [String], isPaused: Bool) async throws {
        try await withMove(of: Self.rows) { move in
            let migration = try await move.run("migrate", options + ["--max-rate", "500kB"]) { _ in
                try await eventually("rows are copied") { try await bytes(move) > 1_000_000 }
                if isPaused { try await move.must("pause") }
                let aborted = try await move.must("abort")
                #expect(aborted.output.hasSuffix("aborted\n"), "\(aborted.output)")
            }
            #expect(migration.status == 0, "\(migration.error)")
            #expect(migration.error.contains("asked for the end of the move (abort)"))
            #expect(!migration.error.contains("copying sequences"), "\(migration.error)")
            #expect(try await move.leftovers() == "")
            #expect(try await ask(move.target, "SELECT to_regclass('t')") == nil)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `changes are received and not applied while a move is paused, and no switch begins`() async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await move.follow(then: .finish) {
                #expect(try await move.must("resume").output.contains("the move was not paused"))
                try await move.must("pause")
                try await move.must("pause", "--json")
                try await execute(move.source, "INSERT INTO t SELECT generate_series(1, 20000)")
                try await eventually("changes are received") { try await spooled(move) > 500_000 }
                #expect(try await ask(move.target, "SELECT count(*) FROM t") == "0")
                for command in ["cutover", "verify"] { try await refuses(command, move) }
                let rehearsal = try await move.run("cutover", ["--dry-run"])
                #expect(rehearsal.status == 2 && rehearsal.output.contains("the move is paused (martlet resume)"))
                try await move.must("resume")
                try await eventually("changes are applied") {
                    try await ask(move.target, "SELECT count(*) FROM t") == "20000"
                }
            }
            let refused = try await move.run("pause")
            #expect(refused.status == 1 && refused.error.contains("there is no move into"))
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a move that is paused can be aborted, and one that is over cannot be paused`() async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await move.follow(then: .none) {
                try await move.must("pause")
                try await move.must("abort")
            }
            #expect(try await move.leftovers() == "")
            try await move.must("migrate", "--once")
            let refused = try await move.run("pause")
            #expect(refused.status == 1 && refused.error.contains("cannot pause the move now"))
            try await move.must("finish")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `the way back can be paused, too, and a rollback waits for it`() async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await move.follow(then: .none) {
                try await move.must("cutover")
                try await move.untilWaiting(in: "reversing")
                try await move.must("pause")
                try await execute(move.target, "INSERT INTO t SELECT generate_series(1, 5000)")
                try await eventually("changes are received") { try await spooled(move) > 100_000 }
                #expect(try await ask(move.source, "SELECT count(*) FROM t") == "0")
                try await refuses("rollback", move)
                try await move.must("resume")
                try await move.must("rollback")
            }
            #expect(try await ask(move.source, "SELECT count(*) FROM t") == "5000")
            try await move.must("abort")
        }
    }

    private func refuses(_ command: String, _ move: TestMove) async throws {
        let outcome = try await move.run(command)
        #expect(outcome.status == 1, "\(outcome.output)")
        #expect(outcome.error.contains("while the move is paused") && outcome.error.contains("martlet resume"))
    }

    /// Looks whether nothing is copied for three reports in a row.
    private func stands(_ move: TestMove) async throws {
        try await eventually("the copy stands") {
            let before = try await bytes(move)
            let moment = try await ask(move.target, "SELECT at FROM martlet.status") ?? ""
            for _ in 0..<3 {
                try await eventually("the next report") {
                    try await ask(move.target, "SELECT at > \(literal: moment)::timestamptz FROM martlet.status") == "t"
                }
            }
            return try await bytes(move) == before
        }
    }

    private func bytes(_ move: TestMove) async throws -> Int {
        try await number(
            move,
            "SELECT sum((t #>> '{load,bytes}')::bigint) FROM martlet.status, jsonb_array_elements(report -> 'tables') t"
        )
    }

    private func spooled(_ move: TestMove) async throws -> Int {
        try await number(move, "SELECT report #>> '{follow,spoolBytes}' FROM martlet.status")
    }

    private func hold(_ move: TestMove) async throws -> String? {
        try await ask(
            move.target,
            "SELECT report #>> '{hold,reason}' FROM martlet.status, martlet.lease WHERE status.at > lease.started"
        )
    }

    private func number(_ move: TestMove, _ question: SQL) async throws -> Int {
        guard try await ask(move.target, "SELECT to_regclass('martlet.status') IS NOT NULL") == "t" else { return 0 }
        return Int(try await ask(move.target, question) ?? "") ?? 0
    }
}
