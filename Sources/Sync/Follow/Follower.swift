public import Catalog
public import Engine
public import Foundation
public import Postgres

/// What is followed, and where its changes go.
public struct FollowPlan: Sendable {
    /// Where the changes come from; reached with `replication=database`.
    public var source: ConnectionString
    /// Where they are applied, in the database that holds `martlet.position`.
    public var target: ConnectionString
    /// The slot that is streamed.
    public var slot: Identifier
    /// The publication that names the tables.
    public var publication: Identifier
    /// `forward`, or `reverse` after a cutover; the key of `martlet.position`.
    public var stream: String
    /// Where the slot starts; nothing before it may be asked for.
    public var start: LSN
    /// The published tables by their OID on the source: their lane, and the position from which their changes count.
    public var tables: [UInt32: (lane: Int, watermark: LSN)]
    /// Those that a TRUNCATE emptied while they were copied: of the transaction at their watermark only what comes after it counts.
    public var truncated: Set<UInt32>
    /// OIDs on the source of tables that a foreign key points at: TRUNCATE cannot empty one of them alone.
    public var referenced: Set<UInt32>
    /// How many lanes there are.
    public var laneCount: Int
    /// Whether every published column's type may travel in binary form.
    public var isBinary: Bool
    /// What the source is told to forget.
    public var confirmation: Confirmation
    /// The encoding that both sides speak.
    public var encoding: String
    /// How sessions write to the target.
    public var sessionRole: SessionRole
    /// A folder of this stream's own for the spool.
    public var spoolDirectory: URL
    /// The slot that the spool belongs to, and where that starts; one of another slot is removed.
    public var spoolIdentity: String
    /// From how many bytes of log on what the source has written meanwhile is read by queries, not as a stream.
    public var backlog = Backlog.least
    /// The tables that are not the same on the target.
    public var maps: TableMaps

    /// Creates a plan.
    public init(
        source: ConnectionString,
        target: ConnectionString,
        slot: Identifier,
        publication: Identifier,
        stream: String,
        start: LSN,
        tables: [UInt32: (lane: Int, watermark: LSN)],
        truncated: Set<UInt32> = [],
        referenced: Set<UInt32> = [],
        laneCount: Int,
        isBinary: Bool,
        confirmation: Confirmation,
        encoding: String,
        sessionRole: SessionRole = .replica,
        spoolDirectory: URL,
        maps: TableMaps = .none
    ) {
        self.source = source
        self.target = target
        self.slot = slot
        self.publication = publication
        self.stream = stream
        self.start = start
        self.tables = tables
        self.truncated = truncated
        self.referenced = referenced
        self.laneCount = laneCount
        self.isBinary = isBinary
        self.confirmation = confirmation
        self.encoding = encoding
        self.sessionRole = sessionRole
        self.spoolDirectory = spoolDirectory
        spoolIdentity = "\(slot.name) \(start)"
        self.maps = maps
    }

    /// Goes on in the form that an earlier run has left changes in, whatever types there are by now.
    public mutating func keepForm() {
        isBinary = Spool.form(in: spoolDirectory, of: spoolIdentity) ?? isBinary
    }
}

/// A running stream of changes from one server to another: receive → spool → lanes.
///
/// The receiver runs from the start. The lanes stand still until ``release(upTo:)``, so that changes
/// pile up on disk while tables are being loaded. All parts end with the scope of
/// ``withFollower(_:schema:throttle:stages:_:)``; the first failure of any of them ends the others.
public final class Follower: Sendable {
    let state: FollowState
    let spool: Spool
    let changedKeys = ChangedKeys()

    fileprivate init(state: FollowState, spool: Spool) {
        self.state = state
        self.spool = spool
    }

    /// How far the stream is.
    public struct Progress: Sendable, Hashable, Codable {
        /// Everything that committed before it has been received.
        public var received: LSN
        /// Everything that committed before it is applied.
        public var applied: LSN
        /// What the source may forget.
        public var confirmed: LSN
        /// Bytes of changes that lie in the spool.
        public var spoolBytes: UInt64
        /// Tables that stand still because the target does not take their changes; all others go on.
        public var standing: [Standstill]
        /// What was done.
        public var counters: FollowCounters
    }

    /// How far the stream is now.
    public var progress: Progress {
        let current = state.current
        return Progress(
            received: current.received,
            applied: current.applied,
            confirmed: current.confirmed,
            spoolBytes: spool.size,
            standing: current.standing,
            counters: current.counters
        )
    }

    /// Lets the lanes apply every transaction whose commit record begins before `limit`; nil is without end.
    public func release(upTo limit: LSN? = nil) {
        state.limit = limit ?? LSN(.max)
    }

    /// Lets the source forget what is safe in the spool from now on, because it would lose its log otherwise.
    public func confirmSpooled() {
        state.confirmsSpooled = true
    }

    /// Makes the lanes stand still where they are, at the end of the transaction they are in.
    public func hold() {
        state.limit = .zero
    }

    /// The tables that stand still.
    public var standing: [Standstill] { state.current.standing }

    /// Makes tables stand still until ``go(_:)``, by their OIDs on the server that is followed; waits until they do.
    ///
    /// One that stood still before may just be visited by its lane; that is over, too, when this returns.
    public func stop(_ tables: Set<UInt32>) async throws {
        state.update {
            $0.asked.formUnion(tables)
            $0.askedCount += 1
        }
        while true {
            let current = state.current
            if current.isAnswered, tables.isSubset(of: Set(current.standing.map(\.relation))) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Lets tables go on that were made to stand still, from wherever `martlet.position` says.
    public func go(_ tables: Set<UInt32>) {
        state.update {
            guard !$0.asked.isDisjoint(with: tables) else { return }
            $0.asked.subtract(tables)
            $0.askedCount += 1
        }
    }

    /// Waits until none of these tables stands still any more, after ``go(_:)``.
    ///
    /// - Throws: what keeps one of them, when it has tried again and failed.
    public func untilGoing(_ tables: Set<UInt32>, within limit: Duration) async throws {
        let end = ContinuousClock.now + limit
        while true {
            let current = state.current
            let left = current.standing.filter { tables.contains($0.relation) }
            guard let first = left.first else { return }
            // How often it was tried before it was mended says nothing.
            if current.isAnswered && first.tries > 0 || ContinuousClock.now > end { throw first.error }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Blocks until everything that committed before `position` is applied; false when the deadline passed.
    public func waitApplied(_ position: LSN, within limit: Duration) throws(PostgresError) -> Bool {
        try wait(within: limit) { $0.applied >= position }
    }

    /// Blocks until the position of every lane is saved and safe behind `position`; false when the deadline passed.
    public func waitDurable(_ position: LSN, within limit: Duration) throws(PostgresError) -> Bool {
        try wait(within: limit) { $0.durable >= position }
    }

    /// Blocks until something is reached; false when the deadline passed.
    ///
    /// Nobody rings when a task is cancelled, so that is looked after five times a second.
    func wait(
        within limit: Duration,
        until isReached: (FollowState.State) -> Bool
    ) throws(PostgresError) -> Bool {
        let end = ContinuousClock.now + limit
        while true {
            let step = min(end, .now + .milliseconds(200))
            let isDone = state.wait(until: step) { isReached($0) || Task.isCancelled }
            if Task.isCancelled { throw .cancelled }
            if isDone || ContinuousClock.now >= end { return isDone }
        }
    }

    /// Whether changed keys are noted: since the last barrier, nothing that changed is unknown.
    public var isListening: Bool { changedKeys.isListening }

    /// How many rows changed since the last barrier.
    public var changedRows: Int { changedKeys.count }

    /// The rows that changed since the last barrier, or since the last call.
    public func takeChangedKeys() -> [QualifiedName: ChangedKeys.Change] {
        changedKeys.restart()
    }

    /// Forgets which rows changed, because what was compared before does not count any more.
    public func stopListening() {
        changedKeys.stop()
    }
}

/// Follows a slot for as long as `body` runs.
///
/// Goes on where an earlier run was: received changes are in the spool, applied positions in `martlet.position`.
///
/// - Throws: what `body` throws; the first failure of the receiver or a lane; or, before anything is
///   streamed, an error when the slot has moved past what the target and the spool have, because the
///   server would silently leave out the transactions between.
///
/// While `throttle` is paused, everything is received and nothing is applied.
public func withFollower<Result: Sendable>(
    _ plan: FollowPlan,
    schema: Schema,
    throttle: Throttle = .none,
    stages: Stages = Stages(),
    _ body: @escaping @Sendable (Follower) async throws -> Result
) async throws -> Result {
    let (spool, writer) = try Spool.open(
        directory: plan.spoolDirectory,
        identity: plan.spoolIdentity,
        isBinary: plan.isBinary
    )
    let state = FollowState(lanes: plan.laneCount, throttle: throttle, stages: stages)
    let follower = Follower(state: state, spool: spool)
    let positions = try await Positions.read(plan)
    guard positions.applied >= spool.needsApplied else {
        throw StartPosition(plan: plan).lostChanges(
            "The target has applied \(positions.applied), and the spool holds no changes before \(spool.needsApplied) any more.",
            hint:
                "That server was restored to an older state, or a standby took over that lacked the last changes"
        )
    }
    writer.advance(to: try await StartPosition(plan: plan).find(spooled: writer.through, applied: positions.applied))
    let handedOver = Transfer(writer)
    return try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask {
            try await receive(plan, handedOver.take(), follower)
            return nil
        }
        for lane in 0..<plan.laneCount {
            group.addTask {
                var runner = LaneRunner(plan, number: lane, positions: positions, schema: schema, follower: follower)
                try await runner.run()
                return nil
            }
        }
        group.addTask { try await withOwnThread("martlet.follow") { try await body(follower) } }
        defer {
            group.cancelAll()
            spool.wake()
            state.update { _ in }
        }
        while let finished = try await group.next() {
            if let result = finished { return result }
        }
        throw CancellationError()
    }
}

private func receive(
    _ plan: FollowPlan,
    _ writer: sending SpoolWriter,
    _ follower: Follower
) async throws {
    try await withConnection(to: plan.source, application: "martlet receive") { connection in
        try connection.execute(ReceiverSettings.sql(for: connection, encoding: plan.encoding))
        try Backlog(plan: plan, writer: writer, state: follower.state).read(on: connection)
    }
    let connection = plan.source.with("replication", "database")
    try await withConnection(to: connection, application: "martlet receive") { connection in
        try connection.execute(ReceiverSettings.sql(for: connection, encoding: plan.encoding))
        let stream = try whenSlotIsFree { () throws(PostgresError) in
            try connection.startReplication(
                slot: plan.slot,
                publication: plan.publication,
                from: writer.through,
                isBinary: plan.isBinary,
                largeChange: Spool.wholeChange
            )
        }
        try Receiver(stream: stream, writer: writer, state: follower.state, confirmation: plan.confirmation).run()
    }
}

/// Uses a slot as soon as the server has noticed that the session before us is gone.
func whenSlotIsFree<Result>(_ use: () throws(PostgresError) -> Result) throws(PostgresError) -> Result {
    let deadline = ContinuousClock.now + .seconds(30)
    while true {
        do {
            return try use()
        } catch  where error.sqlState == "55006" && ContinuousClock.now < deadline {
            // "replication slot is active for PID": object_in_use.
            if Task.isCancelled { throw .cancelled }
            usleep(50_000)
        }
    }
}
