import Postgres

/// Looks at a condition every few milliseconds until it holds.
///
/// A server tells us by files and by its exit, neither of which can be awaited.
///
/// - Throws: `failure` when the deadline passes; `CancellationError` when the task is cancelled; what `condition` throws.
func wait(
    atMost limit: Duration,
    otherwise failure: @autoclosure () -> PostgresError,
    until condition: () throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < end else { throw failure() }
        try await Task.sleep(for: .milliseconds(5))
    }
}
