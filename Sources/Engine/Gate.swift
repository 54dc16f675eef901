import Foundation
public import Postgres

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
                return try await connection.transaction {
                    try connection.execute("SET LOCAL lock_timeout = \(milliseconds)")
                    return try body()
                }
            } catch let error as PostgresError where error.isTransient && attempt < attempts {
                attempt += 1
                try await Task.sleep(for: pause)
            }
        }
    }

    private var milliseconds: Int {
        Int(lockTimeout.components.seconds) * 1000 + Int(lockTimeout.components.attoseconds / 1_000_000_000_000_000)
    }
}
