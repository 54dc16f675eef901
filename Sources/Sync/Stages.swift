import Synchronization

/// What the stages of a run have done, and what they have waited for.
///
/// Each worker counts for itself, without a lock, and adds what came since the last time about once a second or once a group.
/// Times are those of all workers of a stage added up: two workers that wait for ten seconds have waited for twenty.
public final class Stages: Sendable {
    /// The counts of one run.
    public struct Report: Sendable, Hashable, Codable {
        /// Copying tables and building indexes.
        public var load = LoadTally()
        /// Receiving changes into the spool.
        public var receive = ReceiveTally()
        /// Applying changes.
        public var lanes = LaneTally()
        /// The index builds that took longest, the longest first; at most ten.
        public var slowestIndexes: [IndexBuild] = []

        /// Nothing yet.
        public init() {}
    }

    /// One index, and how long it took.
    public struct IndexBuild: Sendable, Hashable, Codable {
        /// The index, with its schema.
        public var index: String
        /// Its build in seconds.
        public var seconds: Double
    }

    private let state = Mutex(Report())

    /// Begins with nothing.
    public init() {}

    /// The counts up to now.
    public var report: Report { state.withLock { $0 } }

    func add(_ tally: LoadTally) { state.withLock { $0.load.add(tally) } }
    func add(_ tally: ReceiveTally) { state.withLock { $0.receive.add(tally) } }
    func add(_ tally: LaneTally) { state.withLock { $0.lanes.add(tally) } }

    func note(_ build: IndexBuild) {
        state.withLock { report in
            report.slowestIndexes.append(build)
            report.slowestIndexes.sort { $0.seconds > $1.seconds }
            if report.slowestIndexes.count > 10 { report.slowestIndexes.removeLast() }
        }
    }
}

/// What workers of the load have done; times in seconds.
public struct LoadTally: Sendable, Hashable, Codable {
    /// How long workers were there, added up.
    public var seconds = 0.0
    /// How long they waited for rows of the source.
    public var sourceSeconds = 0.0
    /// How long they waited until the target had taken rows.
    public var targetSeconds = 0.0
    /// How long the target built indexes, put constraints on them and analysed.
    public var indexSeconds = 0.0
    /// How long they were held, or kept to a rate.
    public var heldSeconds = 0.0
    /// How long they had nothing to do because others had not finished.
    public var idleSeconds = 0.0
    /// Bytes that went over the wire.
    public var bytes = 0
    /// Rows that were copied.
    public var rows = 0
    /// Tables, and parts of tables, that were copied.
    public var parts = 0
    /// Indexes that were built.
    public var indexes = 0

    /// Nothing yet.
    public init() {}

    mutating func add(_ other: LoadTally) {
        seconds += other.seconds
        sourceSeconds += other.sourceSeconds
        targetSeconds += other.targetSeconds
        indexSeconds += other.indexSeconds
        heldSeconds += other.heldSeconds
        idleSeconds += other.idleSeconds
        bytes += other.bytes
        rows += other.rows
        parts += other.parts
        indexes += other.indexes
    }
}

/// What the receiver has done; times in seconds.
public struct ReceiveTally: Sendable, Hashable, Codable {
    /// How long it was there.
    public var seconds = 0.0
    /// How long nothing came.
    public var idleSeconds = 0.0
    /// How long it wrote into the spool's files.
    public var writeSeconds = 0.0
    /// How long it waited until they were safe on the disk.
    public var syncSeconds = 0.0
    /// Bytes of changes.
    public var bytes = 0
    /// Messages of the output plugin, or pieces of large ones.
    public var messages = 0
    /// How often the spool was made safe.
    public var syncs = 0
    /// Queries that read a part of a backlog.
    public var queries = 0

    /// Nothing yet.
    public init() {}

    mutating func add(_ other: ReceiveTally) {
        seconds += other.seconds
        idleSeconds += other.idleSeconds
        writeSeconds += other.writeSeconds
        syncSeconds += other.syncSeconds
        bytes += other.bytes
        messages += other.messages
        syncs += other.syncs
        queries += other.queries
    }
}

/// What lanes have done; times in seconds.
public struct LaneTally: Sendable, Hashable, Codable {
    /// How long lanes were there, added up.
    public var seconds = 0.0
    /// How long they waited for changes.
    public var inputSeconds = 0.0
    /// How long they stood still: before they were let go, at a comparison, while paused.
    public var parkedSeconds = 0.0
    /// How long they waited for the server.
    public var serverSeconds = 0.0
    /// Transactions of the source that they took part in, or passed over.
    public var transactions = 0
    /// Transactions on the server.
    public var groups = 0
    /// Row changes before folding.
    public var changes = 0
    /// Rows that were sent after folding.
    public var rows = 0
    /// Those of them that went by COPY.
    public var copiedRows = 0
    /// The most rows of one group.
    public var largestGroup = 0
    /// Changes that were not sent as sets, and why.
    public var fallbacks = Fallbacks()

    /// Why changes were sent one by one.
    public struct Fallbacks: Sendable, Hashable, Codable {
        /// Groups that were replayed row by row: a set collided with a unique value.
        public var uniqueReplays = 0
        /// Groups that were replayed for another reason, such as a row that was not there.
        public var otherReplays = 0
        /// Rows too large to be held.
        public var largeRows = 0
        /// Updates that gave a row another key.
        public var keyChanges = 0
        /// Rows of tables whose changes are never folded: without a key, or kept in order after three replays.
        public var orderedRows = 0
        /// Rows whose type refuses NULL, which sets use for what was not sent.
        public var refusedNulls = 0

        /// None yet.
        public init() {}
    }

    /// Nothing yet.
    public init() {}

    mutating func add(_ other: LaneTally) {
        seconds += other.seconds
        inputSeconds += other.inputSeconds
        parkedSeconds += other.parkedSeconds
        serverSeconds += other.serverSeconds
        transactions += other.transactions
        groups += other.groups
        changes += other.changes
        rows += other.rows
        copiedRows += other.copiedRows
        largestGroup = max(largestGroup, other.largestGroup)
        fallbacks.uniqueReplays += other.fallbacks.uniqueReplays
        fallbacks.otherReplays += other.fallbacks.otherReplays
        fallbacks.largeRows += other.fallbacks.largeRows
        fallbacks.keyChanges += other.fallbacks.keyChanges
        fallbacks.orderedRows += other.fallbacks.orderedRows
        fallbacks.refusedNulls += other.fallbacks.refusedNulls
    }
}

/// Measures stretches of time.
struct Stopwatch {
    private var last = ContinuousClock.now

    /// The seconds since it was made, or since the last call.
    mutating func lap() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        return last.duration(to: now) / .seconds(1)
    }

    /// How long it has run.
    var elapsed: Duration { last.duration(to: .now) }
}
