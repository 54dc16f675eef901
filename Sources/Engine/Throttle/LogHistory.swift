import Postgres

/// Where the end of a server's log was in the last while, which tells how old what a replica replays is.
///
/// `pg_stat_replication.replay_lag` alone does not: it is NULL or old when a replica stands still, and keeps its last value
/// for a while when nothing more is written.
///
/// Worked example: the log ended at 0/100 at 10 s, at 0/200 at 11 s, at 0/300 at 12 s. A replica that has replayed 0/150
/// lacks what was there at 11 s; at 14 s it is 3 seconds behind.
struct LogHistory: Sendable {
    private let span: Duration
    private var samples: [(at: ContinuousClock.Instant, end: LSN)] = []

    /// Remembers `span`, and somewhat more.
    init(span: Duration) {
        self.span = span + .seconds(10)
    }

    /// Notes where the log ends now.
    mutating func note(_ end: LSN, at now: ContinuousClock.Instant) {
        // Where nothing was written, the first moment at which it ended there is the one that counts.
        if samples.last?.end != end { samples.append((now, end)) }
        // One that is older than the span stays, as the proof that what is behind it is as old.
        while samples.count > 1, samples[1].at.duration(to: now) > span { samples.removeFirst() }
    }

    /// How far a replica is behind at `now`; `reported` is what the server says, and counts where we have not looked on for long enough.
    func lag(
        of replayed: LSN,
        reported: Duration?,
        at now: ContinuousClock.Instant
    ) -> Duration {
        guard let missing = samples.first(where: { $0.end > replayed }) else { return .zero }
        let seen = missing.at.duration(to: now)
        let isExact = samples.first.map { $0.end <= replayed } ?? false
        return isExact ? seen : max(seen, reported ?? .zero)
    }
}
