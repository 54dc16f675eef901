import Postgres
import Synchronization

/// Something to do with a session, and whom to tell what came of it.
final class Job: Sendable {
    private enum State {
        case waiting
        case running(stop: @Sendable () -> Void)
        case cancelled
        case ended
    }

    private let state = Mutex(State.waiting)
    private let body: @Sendable (Connection) async -> Void
    /// Tells that it could not be begun.
    let fail: @Sendable (any Error) -> Void

    init(_ body: @escaping @Sendable (Connection) async -> Void, fail: @escaping @Sendable (any Error) -> Void) {
        (self.body, self.fail) = (body, fail)
    }

    /// Does it, unless it was cancelled.
    func run(on connection: Connection) async {
        let stop = connection.stop
        let mayRun = state.withLock { state in
            guard case .waiting = state else { return false }
            state = .running(stop: stop)
            return true
        }
        guard mayRun else { return }
        await body(connection)
        state.withLock { $0 = .ended }
    }

    /// Keeps it from being begun, or cancels its statement.
    func cancel() {
        let wasWaiting = state.withLock { state in
            switch state {
            case .waiting:
                state = .cancelled
                return true
            // With the lock held, as the session serves another job after this one.
            case .running(let stop): stop()
            case .cancelled, .ended: break
            }
            return false
        }
        if wasWaiting { fail(CancellationError()) }
    }
}

/// Jobs in their order, for several that take them.
final class JobQueue: Sendable {
    private struct State {
        var jobs: [Job] = []
        var takers: [CheckedContinuation<Job?, Never>] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Adds a job; one that comes after the end is told so.
    func add(_ job: Job) {
        enum Place { case queue, taker(CheckedContinuation<Job?, Never>), nowhere }
        let place = state.withLock { state -> Place in
            if state.isClosed { return .nowhere }
            if let taker = state.takers.popLast() { return .taker(taker) }
            state.jobs.append(job)
            return .queue
        }
        switch place {
        case .queue: break
        case .taker(let taker): taker.resume(returning: job)
        case .nowhere: job.fail(PostgresError("the connection pool is closed"))
        }
    }

    /// Waits for the next job; nil after the end.
    func next() async -> Job? {
        await withCheckedContinuation { taker in
            let answer = state.withLock { state -> Job?? in
                if !state.jobs.isEmpty { return .some(state.jobs.removeFirst()) }
                if state.isClosed { return .some(nil) }
                state.takers.append(taker)
                return nil
            }
            if let answer { taker.resume(returning: answer) }
        }
    }

    /// Ends it: who waits gets nothing, and jobs that were not begun fail.
    func close() {
        let (jobs, takers) = state.withLock { state in
            defer { (state.jobs, state.takers, state.isClosed) = ([], [], true) }
            return (state.jobs, state.takers)
        }
        for taker in takers { taker.resume(returning: nil) }
        for job in jobs { job.fail(PostgresError("the connection pool is closed")) }
    }
}

/// A result that somebody waits for; only the first one that is given counts.
final class Answer<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, any Error>)
        case given(Result<Value, any Error>)
        case taken
    }

    private let state = Mutex(State.open)

    /// Gives it.
    func give(_ result: Result<Value, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            switch state {
            case .open:
                state = .given(result)
                return nil
            case .awaited(let waiter):
                state = .taken
                return waiter
            case .given, .taken: return nil
            }
        }
        waiter?.resume(with: result)
    }

    /// Waits for it; may be called once.
    func wait() async throws -> Value {
        try await withCheckedThrowingContinuation { waiter in
            let given = state.withLock { state -> Result<Value, any Error>? in
                guard case .given(let result) = state else {
                    state = .awaited(waiter)
                    return nil
                }
                state = .taken
                return result
            }
            if let given { waiter.resume(with: given) }
        }
    }
}
