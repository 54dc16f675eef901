/// Says how long to wait so that no more than so many bytes a second go through.
///
/// What is let through is paid for afterwards: every byte moves the moment before which nobody may go on. Who comes late
/// (a thread that slept too long) may catch up a quarter of a second, and not more, so that a pause is not followed by a burst.
///
/// Worked example: 1 MB a second; a worker sends 128 kB at 0 s and may go on at 0.125 s, another one sends 128 kB at 0.01 s
/// and may go on at 0.25 s.
struct RatePacer: Sendable {
    private static let slack = Duration.milliseconds(250)

    /// What counts from the next bytes on.
    var bytesPerSecond: Int
    /// Until when everything that was let through lasts.
    private var paidUntil: ContinuousClock.Instant?

    init(bytesPerSecond: Int) {
        self.bytesPerSecond = bytesPerSecond
    }

    /// Counts bytes that went through, and returns when the one who sent them may go on.
    mutating func take(_ bytes: Int, at now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let earliest = paidUntil == nil ? now : now - Self.slack
        let end = max(paidUntil ?? earliest, earliest) + .seconds(Double(bytes) / Double(bytesPerSecond))
        paidUntil = end
        return end
    }
}
