public import Postgres

/// What sessions of a workload did; of one of them, or of several added up.
public struct WorkloadTally: Sendable {
    /// Operations that a server acknowledged, which is after their commit, by the server's name.
    public internal(set) var acknowledged: [String: Int] = [:]
    /// Operations whose connection broke before an answer came: each is committed or not.
    public internal(set) var unknown = 0
    /// Operations that were tried again: after a refusal of the fence, a deadlock, a serialization failure.
    public internal(set) var retries = 0
    /// Failed tries and connections, by SQLSTATE.
    public internal(set) var errors: [String: Int] = [:]
    /// The first failure that was neither tried again nor a lost connection.
    public internal(set) var firstSurprise: PostgresError?
    /// How long an acknowledged try took.
    public internal(set) var latency = LatencyHistogram()
    /// The longest time between two acknowledged operations of one session.
    public internal(set) var longestPause: Pause?
    /// The pauses in which a session went to another server, in their order.
    public internal(set) var crossings: [Pause] = []

    /// The time between two acknowledged operations of one session.
    public struct Pause: Sendable, Hashable {
        /// The session's `application_name`.
        public let session: String
        /// When the operation before it was acknowledged.
        public let began: ContinuousClock.Instant
        /// How long it was.
        public let duration: Duration
        /// The server before and the server after it.
        public let from: String, to: String
        /// How long the old server kept the session: locked out, refused, waiting for the switchboard.
        public let leaving: Duration
        /// How long the session to the new server took to open.
        public let connecting: Duration
        /// How often the old server refused to write.
        public let refusals: Int

        /// How long the first operation on the new server took.
        public var working: Duration { duration - leaving - connecting }
    }

    /// All acknowledged operations.
    public var total: Int { acknowledged.values.reduce(0, +) }

    /// Adds up what several sessions did.
    init(adding tallies: [WorkloadTally] = []) {
        for tally in tallies {
            acknowledged.merge(tally.acknowledged, uniquingKeysWith: +)
            unknown += tally.unknown
            retries += tally.retries
            errors.merge(tally.errors, uniquingKeysWith: +)
            firstSurprise = firstSurprise ?? tally.firstSurprise
            latency.add(tally.latency)
            if let pause = tally.longestPause { note(pause) }
            crossings += tally.crossings
        }
    }

    /// Keeps a pause when none was longer.
    mutating func note(_ pause: Pause) {
        if pause.duration > longestPause?.duration ?? .zero { longestPause = pause }
    }
}
