import Foundation
public import Postgres
import Synchronization

/// Sessions that run random workloads beside a test.
///
/// They stop when they are told to, when the fence of a cutover refuses them, or when the server is gone.
public final class RandomWriters: Sendable {
    private struct State {
        var isStopped = false
        var running = 0
        var transactions = 0
        var committed = 0
        var refusals: [String: Int] = [:]
        var faults: [String] = []
        var isFenced = false
    }

    private let state = Mutex(State())

    /// How many transactions have ended, in whatever way.
    public var transactions: Int { state.withLock(\.transactions) }

    /// How many committed.
    public var committed: Int { state.withLock(\.committed) }

    /// How often statements failed, by SQLSTATE.
    public var refusals: [String: Int] { state.withLock(\.refusals) }

    /// Failures that no workload should see: statements that are wrong, and updates that a publication forbids.
    public var faults: [String] { state.withLock(\.faults) }

    /// Whether the fence of a cutover has refused a statement.
    public var isFenced: Bool { state.withLock(\.isFenced) }

    /// Waits until so many more transactions have ended.
    public func write(_ count: Int) async throws {
        let goal = transactions + count
        try await eventually("\(count) transactions are written", within: .seconds(300)) {
            transactions >= goal || state.withLock { $0.running == 0 }
        }
    }

    /// Lets each session end its transaction, and waits for it.
    public func stop() async throws {
        state.withLock { $0.isStopped = true }
        try await eventually("the writers have stopped", within: .seconds(300)) { state.withLock { $0.running == 0 } }
    }

    fileprivate var isStopped: Bool { state.withLock(\.isStopped) }

    fileprivate func begin() { state.withLock { $0.running += 1 } }

    fileprivate func end() { state.withLock { $0.running -= 1 } }

    fileprivate func count(isCommitted: Bool) {
        state.withLock { state in
            state.transactions += 1
            if isCommitted { state.committed += 1 }
        }
    }

    /// Whether the session can go on after a failure.
    fileprivate func note(_ error: PostgresError, in statement: SQL) -> Bool {
        let code = error.sqlState ?? ""
        return state.withLock { state in
            state.refusals[code, default: 0] += 1
            if code == "25006" { state.isFenced = true }
            // A publication must not keep the owner from changing rows.
            let isForbidden = error.message.contains("replica identity")
            let isWrong = isForbidden || code.hasPrefix("42") && code != "42P10" || code.isEmpty || code == "XX000"
            if isWrong, state.faults.count < 5 { state.faults.append("\(error)\n\(statement.text.prefix(2000))") }
            return code != "25006" && !error.isConnectionLoss
        }
    }
}

/// Runs `body` beside sessions that write; they have stopped when it returns.
///
/// - Parameters:
///   - count: how many sessions, at most three.
///   - schema: what they write to.
///   - seed: decides what they write.
///   - place: where.
///   - preparing: whether some transactions are prepared; one that is waits in the way of a cutover.
///   - body: what happens meanwhile.
/// - Returns: what `body` returns.
/// - Throws: what `body` throws, or the failure of a session to connect.
public func withRandomWriters<Result>(
    _ count: Int,
    of schema: RandomSchema,
    seed: UInt64,
    at place: ConnectionString,
    preparing: Bool = true,
    _ body: (RandomWriters) async throws -> Result
) async throws -> Result {
    let writers = RandomWriters()
    return try await withThrowingTaskGroup(of: Void.self) { group in
        for session in 0..<count {
            writers.begin()
            group.addTask {
                defer { writers.end() }
                try await write(schema, seed: seed, session: session, preparing: preparing, at: place, for: writers)
            }
        }
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await body(writers)) } catch { outcome = .failure(error) }
        try await writers.stop()
        try await group.waitForAll()
        return try outcome.get()
    }
}

private func write(
    _ schema: RandomSchema,
    seed: UInt64,
    session: Int,
    preparing: Bool,
    at place: ConnectionString,
    for writers: RandomWriters
) async throws {
    try await withConnection(to: place, application: "random writer \(session)") { connection in
        try await withConnection(to: place, application: "random rows \(session)") { rows in
            let settings: SQL = """
                SET search_path = ''; SET lock_timeout = '2s'; SET deadlock_timeout = '50ms'; SET synchronous_commit = off; \
                SET client_min_messages = error; SET statement_timeout = '20s'
                """
            try connection.execute(settings)
            try rows.execute(settings)
            var workload = RandomWorkload(
                seed: seed,
                session: session,
                schema: schema,
                major: connection.majorVersion,
                preparesTransactions: preparing
            )
            while !writers.isStopped {
                guard try run(workload.next(), on: connection, rows: rows, for: writers) else { return }
                // A writer that never rests would be a test of speed.
                _ = try? connection.query("SELECT pg_sleep(0.01)")
            }
        }
    }
}

/// Runs one transaction; false when the session cannot go on.
private func run(
    _ transaction: RandomWorkload.Transaction,
    on connection: Connection,
    rows: Connection,
    for writers: RandomWriters
) throws -> Bool {
    var failure: (PostgresError, SQL)? = attempt("BEGIN") { try connection.execute(transaction.begin) }
    for (place, step) in transaction.steps.enumerated() where failure == nil {
        if transaction.isDivided { try connection.execute("SAVEPOINT s") }
        failure = attempt(step.statement) { try run(step, on: connection, rows: rows) }
        guard transaction.isDivided, failure != nil || transaction.takenBack.contains(place) else { continue }
        if let (error, statement) = failure, !writers.note(error, in: statement) { return false }
        try connection.execute("ROLLBACK TO SAVEPOINT s")
        failure = nil
    }
    failure = failure ?? attempt("COMMIT") { try end(transaction.end, connection) }
    guard let (error, statement) = failure else {
        writers.count(isCommitted: transaction.end == .commit || transaction.end == .commitPrepared)
        return true
    }
    writers.count(isCommitted: false)
    let goesOn = writers.note(error, in: statement)
    if goesOn, connection.isInTransaction { try connection.execute("ROLLBACK") }
    return goesOn
}

/// What failed, and in which statement.
private func attempt(_ statement: SQL, _ body: () throws -> Void) -> (PostgresError, SQL)? {
    do {
        try body()
        return nil
    } catch {
        return (error as? PostgresError ?? PostgresError("\(error)"), statement)
    }
}

private func run(_ step: RandomWorkload.Transaction.Step, on connection: Connection, rows: Connection) throws {
    switch step {
    case .statement(let sql): try connection.execute(sql)
    case .copy(let target, let source): _ = try connection.copyIn(target, from: rows, source) { _, _ in }
    }
}

extension RandomWorkload.Transaction.Step {
    fileprivate var statement: SQL {
        switch self {
        case .statement(let sql), .copy(_, let sql): sql
        }
    }
}

private func end(_ end: RandomWorkload.Transaction.End, _ connection: Connection) throws {
    switch end {
    case .commit: try connection.execute("COMMIT")
    case .rollback: try connection.execute("ROLLBACK")
    case .commitPrepared, .rollbackPrepared:
        let name = "random \(UInt64.random(in: 0 ... .max))"
        try connection.execute("PREPARE TRANSACTION \(literal: name)")
        try connection.execute("\(end == .commitPrepared ? "COMMIT" : "ROLLBACK" as SQL) PREPARED \(literal: name)")
    }
}
