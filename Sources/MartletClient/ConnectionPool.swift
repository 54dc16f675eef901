public import Postgres

/// A few sessions of one database that many tasks share; get one with ``withConnectionPool(to:limit:application:_:)``.
///
/// Sessions are opened when they are needed. One that was lost or cancelled, or that a body has left in a transaction, is
/// closed, and the next body gets a new one. Settings that a body makes stay for whoever comes next: make them with `SET LOCAL`.
public final class ConnectionPool: Sendable {
    private let queue = JobQueue()

    fileprivate init() {}

    /// Runs `body` with a session of its own, as soon as one is free.
    ///
    /// It runs in a task of the pool. When the task that waits is cancelled, a body that has not begun is not begun, and the
    /// statement of one that has is cancelled on the server.
    ///
    /// - Throws: what `body` throws, or a ``PostgresError`` when no session can be had.
    public func withConnection<Value: Sendable>(
        _ body: @escaping @Sendable (Connection) async throws -> Value
    ) async throws -> Value {
        let answer = Answer<Value>()
        let job = Job { connection in
            do { answer.give(.success(try await body(connection))) } catch { answer.give(.failure(error)) }
        } fail: { error in
            answer.give(.failure(error))
        }
        queue.add(job)
        return try await withTaskCancellationHandler {
            try await answer.wait()
        } onCancel: {
            job.cancel()
        }
    }

    /// Serves one job after the other with one session, and with another one when that is of no more use.
    fileprivate func serve(_ target: ConnectionString, application: String?) async {
        var next: Job?
        while let first = if let left = next { left } else { await queue.next() } {
            next = nil
            do {
                try await Postgres.withConnection(to: target, application: application) { connection in
                    var job: Job? = first
                    while let present = job {
                        await present.run(on: connection)
                        guard connection.isUsable else { return }
                        job = await queue.next()
                        // One that was idle may have been ended; the next session does it then.
                        if let waiting = job, !connection.isStillOpen {
                            next = waiting
                            return
                        }
                    }
                }
            } catch {
                // It says nothing to one that has its answer already.
                first.fail(error)
            }
        }
    }

    fileprivate func close() { queue.close() }
}

/// Opens a pool for as long as `body` runs; at most `limit` sessions are open at once.
///
/// - Throws: what `body` throws.
public func withConnectionPool<Value: Sendable>(
    to target: ConnectionString,
    limit: Int = 8,
    application: String? = nil,
    _ body: @escaping @Sendable (ConnectionPool) async throws -> Value
) async throws -> Value {
    let pool = ConnectionPool()
    return try await withThrowingTaskGroup(of: Value?.self) { group in
        for _ in 0..<max(1, limit) {
            group.addTask {
                await pool.serve(target, application: application)
                return nil
            }
        }
        group.addTask {
            defer { pool.close() }
            return try await body(pool)
        }
        var value: Value?
        while let finished = try await group.next() { value = finished ?? value }
        guard let value else { throw CancellationError() }
        return value
    }
}
