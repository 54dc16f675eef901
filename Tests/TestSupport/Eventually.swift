/// Waits until a condition holds, looking often; the one place where tests sleep.
///
/// - Throws: ``NeverHappened`` after the deadline, or what `condition` throws.
public func eventually(
    _ what: String,
    within limit: Duration = .seconds(60),
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw NeverHappened(what: what, limit: limit) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Waits for a moment that a plan of faults names; returns at once when it has passed.
public func untilMoment(_ moment: ContinuousClock.Instant) async throws {
    try await Task.sleep(until: moment, clock: .continuous)
}

/// A condition that did not hold in time.
public struct NeverHappened: Error, CustomStringConvertible {
    let what: String
    let limit: Duration

    /// What did not happen, and in which time.
    public var description: String { "not within \(limit): \(what)" }
}
