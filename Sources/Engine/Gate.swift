import Foundation
public import Postgres
import Synchronization

/// One short transaction that needs locks which others may hold.
///
/// A lock that is waited for makes everyone queue behind us. So the wait is short, and between two
/// tries everyone gets through.
public struct Gate: Sendable {
    /// How long one try waits for each lock.
    public var lockTimeout: Duration
    /// How often to try.
    public var attempts: Int
    /// How long to stay away between two tries.
    public var pause: Duration

    /// Describes a gate.
    public init(lockTimeout: Duration, attempts: Int, pause: Duration) {
        self.lockTimeout = lockTimeout
        self.attempts = attempts
        self.pause = pause
    }

    /// Ten tries of two seconds, for changes that nobody waits for.
    public static let patient = Gate(lockTimeout: .seconds(2), attempts: 10, pause: .seconds(1))

    /// Runs `body` in a transaction, again when a lock was not got in time.
    ///
    /// - Throws: the last failure, with the sessions that were in the way as its detail.
    public func pass<Result>(
        _ connection: Connection,
        _ body: () throws -> Result
    ) async throws -> Result {
        var attempt = 1
        while true {
            do {
                guard attempt < attempts else { return try await lastTry(connection, body) }
                return try await oneTry(connection, body)
            } catch let error as PostgresError where error.isTransient && attempt < attempts {
                attempt += 1
                try await Task.sleep(for: pause)
            }
        }
    }

    private func oneTry<Result>(_ connection: Connection, _ body: () throws -> Result) async throws -> Result {
        try await connection.transaction {
            try connection.execute("SET LOCAL lock_timeout = \(milliseconds)")
            return try body()
        }
    }

    /// Watches who is in the way, because nobody can tell once the wait is over.
    private func lastTry<Result>(_ connection: Connection, _ body: () throws -> Result) async throws -> Result {
        let witness = LockWitness()
        let (target, pid) = (connection.target, connection.processID)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            // Not on our own thread, which waits for the lock.
            group.addTask(executorPreference: globalConcurrentExecutor) { try await witness.watch(pid, on: target) }
            defer { group.cancelAll() }
            do {
                return try await oneTry(connection, body)
            } catch var error as PostgresError where error.sqlState == "55P03" {
                let names = witness.names
                if !names.isEmpty { error.detail = "In the way: \(names.joined(separator: "; "))." }
                throw error
            }
        }
    }

    private var milliseconds: Int {
        Int(lockTimeout.components.seconds) * 1000 + Int(lockTimeout.components.attoseconds / 1_000_000_000_000_000)
    }
}

/// Remembers which sessions another one waits for.
private final class LockWitness: Sendable {
    private let seen = Mutex<[String]>([])

    var names: [String] { seen.withLock { $0 } }

    /// Looks ten times a second, until the task is cancelled.
    func watch(_ pid: Int, on target: ConnectionString) async throws {
        try await withConnection(to: target, application: "martlet watch") { connection in
            while true {
                let rows = try connection.query(
                    """
                    SELECT format('pid %s, application "%s", %s', a.pid, a.application_name, coalesce(a.state, a.backend_type)) AS name
                      FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids($1::int))
                    """,
                    pid
                )
                let names = try rows.map { row throws(PostgresError) in try row("name", as: String.self) }
                if !names.isEmpty { seen.withLock { $0 = names } }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
