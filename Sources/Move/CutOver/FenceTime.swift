import Postgres
import Synchronization

/// Bounds how long writers may stand still: a switch that does not get on is given up, whatever it waits for.
///
/// Behind the fence a server or the way to it may fall silent, and a statement wait without end. Then the switch is
/// cancelled, and its failure takes the fence away as every other one does.
final class FenceTime: Sendable {
    private let limit: Duration
    private let began = Mutex<ContinuousClock.Instant?>(nil)
    private let decision = Mutex(false)

    /// The parts of a switch that have deadlines of their own have shorter ones than `limit`.
    init(limit: Duration = .seconds(60)) {
        self.limit = limit
    }

    /// From now on writers stand still.
    func begin() { began.withLock { $0 = .now } }

    /// From now on the point of no return may be passed, whatever is heard of it.
    func decide() { decision.withLock { $0 = true } }

    /// Whether the point of no return may have been passed.
    var isDecided: Bool { decision.withLock(\.self) }

    /// Writers are at work again.
    func end() {
        began.withLock { $0 = nil }
        decision.withLock { $0 = false }
    }

    /// Runs a part of a switch, and cancels it when writers have stood still for too long.
    func bound<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body() }
            group.addTask {
                while true {
                    if let start = self.began.withLock({ $0 }), start.duration(to: .now) > self.limit {
                        throw self.tooLong
                    }
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }

    private var tooLong: PostgresError {
        PostgresError(
            "writers have stood still for \(limit.components.seconds) seconds, so the switch was given up",
            detail: "A server, or the way to it, did not answer in time. Writers go on where they were.",
            hint: "Look at martlet status and at both servers, then run the command again."
        )
    }
}
