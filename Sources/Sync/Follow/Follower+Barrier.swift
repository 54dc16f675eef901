public import Postgres

extension Follower {
    /// Brings both databases to one logical position and runs `body` with a snapshot of each, while the stream goes on.
    ///
    /// The lanes stand still; a temporary slot gives a snapshot of the source and its position; the
    /// lanes apply up to exactly there and stand still again, while a snapshot of the target is
    /// taken. Then they go on. Whatever differs between the two snapshots is a real difference.
    ///
    /// `body` also gets the keys of the rows that changed since the last barrier; from this position on
    /// they are noted anew, unless `keepsKeys`: then they go on being noted since the barrier before. The lanes stand
    /// still for as long as it takes to make the slot, which waits for transactions that have written; with
    /// `holdsLanes` until `body` ends, so that it may change rows of the target at exactly this position.
    public func atBarrier<Result>(
        _ plan: FollowPlan,
        temporarySlot: Identifier,
        waiting: @Sendable ([Blocker]) async throws -> Void,
        keepsKeys: Bool = false,
        holdsLanes: Bool = false,
        _ body: (_ source: Snapshot, _ target: Snapshot, _ changed: [QualifiedName: ChangedKeys.Change]) async throws ->
            Result
    ) async throws -> Result {
        hold()
        // Whatever happens in here, the lanes must not stand still afterwards.
        defer { release() }
        return try await withSnapshot(of: plan.source, from: .temporarySlot(temporarySlot), waiting: waiting) {
            source in
            let position = source.position ?? .zero
            release(upTo: position)
            try await pass(position, on: plan.source, within: .seconds(60))
            return try await withNeutralConnection(to: plan.target, application: "martlet barrier") { target in
                try target.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                guard let row = try target.query("SELECT pg_export_snapshot() AS id").first else {
                    throw PostgresError("the target did not export a snapshot")
                }
                let snapshot = Snapshot(id: try row("id"), position: position)
                let changed = keepsKeys ? [:] : takeChangedKeys()
                changedKeys.forgetTruncated()
                if !holdsLanes { release() }
                return try await body(source, snapshot, changed)
            }
        }
    }

    /// The tables that were truncated after the last barrier and before now.
    ///
    /// A snapshot that is older than a TRUNCATE sees the table empty (manual, "MVCC Caveats"), so a comparison under it
    /// may find differences that are none.
    public func tablesTruncated(_ plan: FollowPlan) async throws -> Set<QualifiedName> {
        let now = try await withNeutralConnection(to: plan.source, application: "martlet marker") { connection in
            try connection.query("SELECT pg_current_wal_insert_lsn() AS lsn").first?("lsn", as: LSN.self)
        }
        try await pass(now ?? .zero, on: plan.source, within: .seconds(60))
        return changedKeys.truncated
    }

    /// Waits until everything up to `position` is applied, and makes sure that the stream gets there.
    ///
    /// The lanes know that they have passed a position only when something later comes; a message in the log is that.
    public func pass(_ position: LSN, on source: ConnectionString, within limit: Duration) async throws {
        try await withNeutralConnection(to: source, application: "martlet marker") { connection in
            try Heartbeat.send(connection)
        }
        guard try waitApplied(position, within: limit) else {
            if state.isPaused { throw Self.isPaused }
            throw PostgresError(
                "the stream did not reach \(position) within \(limit.components.seconds) seconds",
                detail: "It is at \(progress.applied).",
                hint: "Wait until martlet status shows less lag, then try again."
            )
        }
    }

    private static let isPaused = PostgresError(
        "the stream stands still because the move is paused",
        hint: "Let it go on with martlet resume, then try again."
    )

    /// How long it takes until everything that was written before now is applied; nil when that is not within `limit`.
    public func measureLag(on source: ConnectionString, within limit: Duration) async throws -> Duration? {
        let asked = ContinuousClock.now
        let position = try await withNeutralConnection(to: source, application: "martlet marker") { connection in
            let row = try connection.query("SELECT pg_current_wal_insert_lsn() AS lsn").first
            try Heartbeat.send(connection)
            return try row?("lsn", as: LSN.self) ?? .zero
        }
        return try waitApplied(position, within: limit) ? asked.duration(to: .now) : nil
    }

    /// The tables that were truncated since the stream began, each with the commit of the last TRUNCATE.
    ///
    /// Reads what was received up to now; nothing may have been given up yet.
    public func truncations(_ plan: FollowPlan) async throws -> [UInt32: LSN] {
        let now = try await withNeutralConnection(to: plan.source, application: "martlet marker") { connection in
            let row = try connection.query("SELECT pg_current_wal_insert_lsn() AS lsn").first
            try Heartbeat.send(connection)
            return try row?("lsn", as: LSN.self) ?? .zero
        }
        // A stream that breaks ends this task, and what was written in days takes its time.
        while try !wait(within: .seconds(60), until: { $0.received >= now }) {}
        var truncations: [UInt32: LSN] = [:]
        var commit = LSN.zero
        var reader = SpoolReader(spool: spool, from: spool.start)
        while let frame = try reader.next() {
            switch PgOutput.kind(of: frame.payload) {
            case .begin: commit = PgOutput.Begin(frame.payload).commit
            case .truncate:
                for relation in PgOutput.Truncate(frame.payload).relations { truncations[relation] = commit }
            default: break
            }
        }
        return truncations
    }

    /// Writes a message into the source's log, which measures how long a change takes to get here.
    public static func beat(_ connection: Connection) throws(PostgresError) {
        try Heartbeat.send(connection)
    }
}
