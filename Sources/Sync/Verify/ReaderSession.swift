import Postgres
import Synchronization

/// A session that reads on a connection of its own, under one snapshot, what others ask it to.
///
/// A connection belongs to one task. This hands work to that task, so that a worker can have both
/// sides of a table read at the same time.
final class ReaderSession: Sendable {
    private final class Job: Sendable {
        let body: @Sendable (Connection) -> Void
        let fail: @Sendable (any Error) -> Void

        init(
            body: @escaping @Sendable (Connection) -> Void,
            fail: @escaping @Sendable (any Error) -> Void
        ) {
            self.body = body
            self.fail = fail
        }
    }

    private struct State {
        var jobs: [Job] = []
        var waiter: CheckedContinuation<Job?, Never>?
        /// Why nothing more is taken.
        var end: (any Error)?
    }

    private let state = Mutex(State())

    /// Runs `body` on the session's connection.
    ///
    /// - Throws: what `body` throws, or why the session ended.
    func run<Result: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
            add(
                Job(
                    body: { connection in continuation.resume(with: Swift.Result { try body(connection) }) },
                    fail: { continuation.resume(throwing: $0) }
                )
            )
        }
    }

    private func add(_ job: Job) {
        let (waiter, end) = state.withLock { state -> (CheckedContinuation<Job?, Never>?, (any Error)?) in
            if let end = state.end { return (nil, end) }
            guard let waiter = state.waiter else {
                state.jobs.append(job)
                return (nil, nil)
            }
            state.waiter = nil
            return (waiter, nil)
        }
        if let end { job.fail(end) }
        waiter?.resume(returning: job)
    }

    /// Takes nothing more, and fails what was not begun.
    fileprivate func end(_ reason: any Error) {
        let (jobs, waiter) = state.withLock { state in
            state.end = state.end ?? reason
            defer { (state.jobs, state.waiter) = ([], nil) }
            return (state.jobs, state.waiter)
        }
        for job in jobs { job.fail(reason) }
        waiter?.resume(returning: nil)
    }

    private func next() async -> Job? {
        await withCheckedContinuation { continuation in
            let (ready, job) = state.withLock { state -> (Bool, Job?) in
                if state.end != nil { return (true, nil) }
                if !state.jobs.isEmpty { return (true, state.jobs.removeFirst()) }
                state.waiter = continuation
                return (false, nil)
            }
            if ready { continuation.resume(returning: job) }
        }
    }

    fileprivate func serve(_ connection: Connection) async {
        await withTaskCancellationHandler {
            while let job = await next() { job.body(connection) }
        } onCancel: {
            end(CancellationError())
        }
    }
}

/// Opens a session on one side for as long as `body` runs.
///
/// `snapshot` is the exported snapshot that it reads; nil is one of its own, kept until it ends.
func withReader<Result>(
    of database: ConnectionString,
    snapshot: String?,
    _ body: (ReaderSession) async throws -> Result
) async throws -> Result {
    let session = ReaderSession()
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            do {
                try await withNeutralConnection(to: database, application: "martlet compare", encoding: "UTF8") {
                    try $0.beginReading(snapshot: snapshot)
                    await session.serve($0)
                }
            } catch {
                // Whoever waits for an answer gets the error there.
                session.end(error)
            }
        }
        defer { session.end(CancellationError()) }
        let result = try await body(session)
        try Task.checkCancellation()
        return result
    }
}

extension Connection {
    /// Begins the transaction in which everything is read.
    fileprivate func beginReading(snapshot: String?) throws(PostgresError) {
        // The text of money follows it.
        try execute("SET lc_monetary = 'C'")
        // Keys are looked up in the index, whatever their number: a plan for the very keys may scan the whole index.
        try execute("SET plan_cache_mode = 'force_generic_plan'")
        try execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if let snapshot {
            do throws(PostgresError) {
                try execute("SET TRANSACTION SNAPSHOT \(literal: snapshot)")
            } catch {
                throw error.explained(
                    as: "could not read under the snapshot \"\(snapshot)\" on \(target.place)",
                    hint: "The session that exported it must stay open until the comparison ends."
                )
            }
        }
    }

    /// Notes which locks the transaction holds before a table is read.
    func rememberLocks() throws(PostgresError) { try execute("SAVEPOINT martlet") }

    /// Gives the locks of the table back, and keeps the snapshot: there is no room for the locks of thousands.
    func forgetLocks() throws(PostgresError) {
        try execute("ROLLBACK TO SAVEPOINT martlet; RELEASE SAVEPOINT martlet")
    }
}
