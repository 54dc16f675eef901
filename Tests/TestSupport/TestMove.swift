import Cluster
import Foundation
public import Postgres
import Testing

/// A move by the built `martlet`: its two ends, and its work directory.
public struct TestMove: Sendable {
    /// Where the data come from.
    public let source: ConnectionString
    /// Where they go to.
    public let target: ConnectionString
    /// The work directory.
    public let directory: String
    /// The program.
    public var program = MartletProgram()

    /// Describes a move; nothing is started.
    public init(source: ConnectionString, target: ConnectionString, directory: String) {
        self.source = source
        self.target = target
        self.directory = directory
    }

    /// How a move that is followed ends.
    public enum End: Sendable, Hashable {
        /// Compares, then `abort`.
        case abort
        /// Compares, then `cutover` and `finish`.
        case finish
        /// Compares, then `cutover` and `rollback`, and `abort`, which removes the journal.
        case rollback
        /// The body of the test has ended it.
        case none
    }

    /// Runs a command of the move to its end; `meddle` gets its process number while it runs.
    public func run(
        _ command: String,
        _ options: [String] = [],
        meddle: (Int32) async throws -> Void = { _ in }
    ) async throws -> MartletProgram.Outcome {
        var arguments = [command, "--target", target.secretURI] + options
        if !["cutover", "rollback", "status", "pause", "resume"].contains(command) {
            arguments += ["--source", source.secretURI]
        }
        if ["migrate", "finish", "abort"].contains(command) { arguments += ["--work-dir", directory] }
        return try await program.run(arguments, meddle: meddle)
    }

    /// Runs a command that must succeed.
    @discardableResult
    public func must(_ command: String, _ options: String...) async throws -> MartletProgram.Outcome {
        let outcome = try await run(command, options)
        try #require(outcome.status == 0, "martlet \(command): \(outcome.output)\(outcome.error)")
        return outcome
    }

    /// Starts `martlet migrate`, and runs `body` as soon as changes are followed; then compares and ends the move.
    public func follow(
        _ options: [String] = [],
        then end: End = .abort,
        _ body: () async throws -> Void
    ) async throws {
        let migration = try await run("migrate", options) { process in
            try await untilFollowing(process)
            try await body()
            if end != .none { try await mustBeEqual() }
            switch end {
            case .abort: try await must("abort")
            case .finish:
                try await must("cutover")
                try await must("finish")
            case .rollback:
                try await must("cutover")
                try await must("rollback")
            case .none: break
            }
        }
        #expect(migration.status == 0, "martlet migrate: \(migration.output)\(migration.error)")
        if end == .rollback { try await must("abort") }
    }

    /// Compares both databases row by row at one position.
    public func mustBeEqual() async throws {
        let verdict = try await run("verify")
        #expect(verdict.status == 0, "martlet verify: \(verdict.output)\(verdict.error)")
    }

    /// Waits until changes are applied, in vain when the process has ended.
    ///
    /// Patiently: a slot is made when every transaction has ended that is open on its server, other tests' too.
    public func untilFollowing(_ process: Int32? = nil, within limit: Duration = .seconds(300)) async throws {
        try await eventually("the move follows changes", within: limit) {
            if try await isFollowing() { return true }
            guard let process, Self.state(of: process) == nil else { return false }
            throw PostgresError("martlet ended before it followed changes")
        }
    }

    /// Whether a martlet that runs now applies changes.
    public func isFollowing() async throws -> Bool { try await isWaiting(in: "following") }

    /// Waits until a martlet that runs now waits for changes, `following` or `reversing`.
    public func untilWaiting(in phase: String) async throws {
        try await eventually("the move waits in phase \"\(phase)\"", within: .seconds(300)) {
            try await isWaiting(in: phase)
        }
    }

    private func isWaiting(in phase: String) async throws -> Bool {
        guard try await ask(target, "SELECT to_regclass('martlet.status') IS NOT NULL") == "t" else { return false }
        let report: SQL = """
            SELECT phase = \(literal: phase) AND s.report ->> 'activity' = 'waiting for changes'
                   AND s.at > l.started
                   -- Whoever has the lock has said when it began, and not a run before it.
                   AND EXISTS (SELECT FROM pg_locks AS k JOIN pg_stat_activity AS a USING (pid)
                                WHERE k.locktype = 'advisory' AND a.backend_start <= l.started AND k.database =
                                      (SELECT oid FROM pg_database WHERE datname = current_database()))
              FROM martlet.migration CROSS JOIN martlet.status AS s CROSS JOIN martlet.lease AS l
            """
        return try await ask(target, report) == "t"
    }
}

/// Runs `body` with a move between two new databases on the shared servers; `definitions` are made on the source before.
public func withMove<Result>(
    from source: Int? = nil,
    to target: Int? = nil,
    of definitions: SQL = "",
    _ body: (TestMove) async throws -> Result
) async throws -> Result {
    try await withDatabasePair(source: source, target: target) { pair in
        try await withTemporaryDirectory { directory in
            try await execute(pair.source, definitions)
            return try await body(TestMove(source: pair.source, target: pair.target, directory: directory))
        }
    }
}

/// As `withMove`, with a source that nobody else uses: for tests that hold transactions open, for whose end every slot waits.
public func withMoveFromOwnServer<Result: Sendable>(
    of definitions: SQL = "",
    _ body: (TestMove) async throws -> Result
) async throws -> Result {
    let settings = ServerConfiguration(settings: ["max_prepared_transactions": "10"])
    return try await withServer(settings) { server in
        try await withMove { move in
            try await execute(server.connection(), definitions)
            return try await body(TestMove(source: server.connection(), target: move.target, directory: move.directory))
        }
    }
}
