import Catalog
import Engine
import Foundation
import Postgres
import Sync

/// Brings the application from the server it works on to the other one: a cutover, or a rollback with the roles swapped.
///
/// 1. Compare everything at one position while writers go on (or trust a comparison that found no difference); then
///    make large objects equal and compare, again and again, what changed since, until little is left.
/// 2. Prepare the way back (at a cutover): publication, position table, slot.
/// 3. **Fence** the writers. From here on the clock of the downtime runs.
/// 4. Drain: everything up to the fence is applied.
/// 5. Sequences and large objects.
/// 6. Compare what changed since the last comparison. Nothing may differ.
///
/// Opening the other server is the conductor's: it is the point of no return. Until then every
/// failure takes the fence away again. The phase is journaled before the fence, so a crash does, too.
struct Crossing: Sendable {
    enum Direction: String, Sendable {
        case forward, reverse

        var name: String { self == .forward ? "cutover" : "rollback" }
        var action: String { self == .forward ? "cut over" : "roll back" }
        /// The server that the application leaves.
        var left: Journal.Side { self == .forward ? .source : .target }
        /// The server that it goes to.
        var entered: Journal.Side { self == .forward ? .target : .source }
    }

    /// What the last steps need to know.
    struct Crossed: Sendable {
        var report: CutoverReport
        var keepsWayBack: Bool
        var reverseStart: LSN
        var reverseSelection: Selection
        var reverseSchema: Schema
        /// What both servers hold, so that it need not be read behind the fence.
        var catalogs: Comparison.Catalogs
        /// The large objects that were made equal before the fence; nil when those of the old server are in use.
        var objects: LargeObjects.Mark?
    }

    static let reverseSlotKind = "reverse slot"

    let run: Run
    let direction: Direction
    let plan: FollowPlan
    /// The tables as they are on the server that is left; see ``refreshed()``.
    var selection: Selection
    /// All tables of that server, as of before `selection` was read.
    var present: Set<UInt32> = []
    /// The tables that the move began with, by their names on that server; at a rollback those that the way back began with.
    var known: Set<QualifiedName>
    let files = ComparedFiles()
    let fenceTime = FenceTime()
    let validation = LateValidation()

    init(run: Run, direction: Direction, plan: FollowPlan, selection: Selection) {
        (self.run, self.direction, self.plan, self.selection) = (run, direction, plan, selection)
        known = Set(selection.published.filter { plan.tables[$0.oid] != nil }.map(\.name))
    }

    var left: ConnectionString { run.endpoints[direction.left] }
    var entered: ConnectionString { run.endpoints[direction.entered] }

    /// Goes through the steps up to the last comparison.
    func cross(
        _ follower: Follower,
        _ ask: Ask.Switch,
        conductor: Conductor,
        _ journal: Connection
    ) async throws -> Crossed {
        try await catchUp(follower)
        let beginning = try await refreshed()
        try refuse(try await beginning.obstacles(ask, follower))
        var report = CutoverReport(direction: direction.rawValue)
        report.unlogged = unlogged
        let objects: LargeObjects.Mark?
        do {
            objects = try await report.measure("compare", isDowntime: false) {
                try await beginning.approach(follower, ask, journal)
            }
        } catch {
            follower.stopListening()
            throw error
        }
        // Comparing takes hours where there is much.
        let crossing = try await refreshed()
        try refuse(try await crossing.obstacles(ask, follower))
        var crossed: Crossed
        do {
            crossed = try await crossing.prepareWayBack(report, objects, ask, journal)
            run.monitor.isSwitching = true
            try conductor.enter(direction == .forward ? .cuttingOver : .rollingBack, on: journal)
        } catch  where (error as? PostgresError)?.isConnectionLoss != true {
            let failure = error
            // No fence is up yet. Nobody reads the slot until the next try, which makes one of its own.
            follower.stopListening()
            try await withoutCancellation { [direction] in
                // The entry into the phase may have been done when it was cancelled.
                try await conductor.undo(direction)
                if direction == .forward { try await conductor.dropSlots(kind: Self.reverseSlotKind) }
            }
            run.monitor.isSwitching = false
            throw failure
        }
        do {
            run.monitor.activity("stopping writers")
            try await crossing.stopWriters(&crossed, follower, journal)
            return crossed
        } catch {
            let failure = error
            follower.stopListening()
            // What follows cannot be given up.
            fenceTime.end()
            try await withoutCancellation {
                if direction == .forward { await conductor.openSourceAtOnce() }
                try await conductor.undo(direction)
            }
            // They were made to stand still behind the fence.
            follower.release()
            validation.resume()
            run.monitor.isSwitching = false
            throw failure
        }
    }

    private func refuse(_ obstacles: [String]) throws(PostgresError) {
        guard !obstacles.isEmpty else { return }
        throw PostgresError("cannot \(direction.action) now", detail: obstacles.joined(separator: "; ") + ".")
    }

    /// Tells whom a slot waits for, and gives up after a minute when one of them is as old: who holds on to a transaction for
    /// so long would keep the fence waiting as well.
    var tellBlockersForAMinute: @Sendable ([Blocker]) async throws -> Void {
        let end = ContinuousClock.now + .seconds(60)
        return { [direction, run] blockers in
            // Of an unknown age is who is still there after a minute.
            let old = blockers.filter { ($0.age ?? 60) >= 60 }
            guard ContinuousClock.now < end || old.isEmpty else { throw Self.blocked(direction, by: old) }
            try await run.tellBlockers(blockers)
        }
    }

    private static func blocked(_ direction: Direction, by blockers: [Blocker]) -> PostgresError {
        PostgresError(
            "transactions that have written and do not end keep the \(direction.name) waiting",
            detail: blockers.map(\.description).joined(separator: "; ") + ".",
            hint: "Nothing was stopped. End them, or try again when they have ended."
        )
    }

    // MARK: Before the fence

    /// For how long the last stretch of the stream may keep the writers waiting.
    static let longestStretch = Duration.seconds(10)

    /// Waits until the stream is close behind the server that is left; gives up on one that is not after a minute.
    ///
    /// How far behind it is, is measured, since a stream that was just taken up again does not know.
    private func catchUp(_ follower: Follower) async throws {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(60)
        run.monitor.activity("catching up before the \(direction.name)")
        while let lag = try await follower.measureLag(on: left, within: .seconds(60)) {
            if lag < .seconds(1) || lag < Self.longestStretch && clock.now >= end { return }
            if clock.now >= end { break }
        }
        throw PostgresError(
            "cannot \(direction.action) now",
            detail:
                "The stream is more than \(Self.longestStretch.components.seconds) seconds behind, also after a minute.",
            hint: "Nothing was stopped. Try again when martlet status shows less lag."
        )
    }

    /// Compares everything once, then what changes meanwhile, until little is left to be compared behind the fence.
    private func approach(
        _ follower: Follower,
        _ ask: Ask.Switch,
        _ journal: Connection
    ) async throws -> LargeObjects.Mark? {
        if ask.isSinceVerify, !follower.isListening {
            run.monitor.event("comparing everything: no earlier comparison counts any more")
        }
        // Changed keys and files are noted only since a comparison that found no difference.
        if !ask.isSinceVerify || !follower.isListening {
            let verdict = try await verify(follower, Ask.Verify(), journal, waiting: tellBlockersForAMinute)
            guard verdict.equal else { throw Self.differences(verdict) }
        }
        let objects = try await makeLargeObjectsEqual()
        for round in 1...5 where follower.changedRows > 20_000 || round == 1 {
            run.monitor.activity("comparing what changed, round \(round)")
            try await verifyChanged(follower)
        }
        return objects
    }

    /// Makes them equal; nil when those of the old server are in use: they are looked at once, behind the fence.
    private func makeLargeObjectsEqual() async throws -> LargeObjects.Mark? {
        guard try await !oldServerIsInUse else { return nil }
        run.monitor.activity("comparing large objects")
        return try await withNeutralConnection(to: left) { server in
            try await withNeutralConnection(to: entered) { other in
                let objects = run.largeObjects("copying large objects that have changed")
                return try await run.throttle.whileUsed { try await objects.copy(from: server, to: other) }
            }
        }
    }

    private func catalogs() async throws -> Comparison.Catalogs {
        let entered = try await withNeutralConnection(to: entered) { try Schema($0) }
        return Comparison.Catalogs(source: selection.schema, target: entered)
    }

    /// Makes on both servers what the reverse stream needs.
    ///
    /// The slot comes last, shortly before the fence, so that it
    /// has little to read.
    private func prepareWayBack(
        _ report: CutoverReport,
        _ objects: LargeObjects.Mark?,
        _ ask: Ask.Switch,
        _ journal: Connection
    ) async throws -> Crossed {
        let target = try await run.targetSelection()
        var crossed = Crossed(
            report: report,
            keepsWayBack: ask.keepsWayBack,
            reverseStart: .zero,
            reverseSelection: target,
            reverseSchema: selection.schema,
            catalogs: try await catalogs(),
            objects: objects
        )
        guard direction == .forward else { return crossed }
        run.monitor.activity("preparing the way back")
        let names = run.names
        try await noteSchema(journal)
        try await crossed.report.measure("prepare the way back", isDowntime: false) {
            try await withNeutralConnection(to: run.endpoints.source) { source in
                try source.keepEventTriggersQuiet()
                try await Self.makePositions(on: source)
            }
            guard ask.keepsWayBack else { return }
            try await withNeutralConnection(to: run.endpoints.target) { server in
                try server.keepEventTriggersQuiet()
                let objects = SourceObjects(names: names, side: .target)
                try await objects.ensureIdentities(of: target, on: server, journal: journal)
                try await objects.makePublication(of: target, on: server, journal: journal)
                let slot = names.reverseSlot
                let object = Journal.Object(
                    side: .target,
                    kind: Self.reverseSlotKind,
                    name: slot.name,
                    undo: SourceObjects.dropSlot(slot)
                )
                try Journal.note(object, on: journal)
                // What an earlier try received is of another slot.
                if FileManager.default.fileExists(atPath: run.reverseSpool.path) {
                    try FileManager.default.removeItem(at: run.reverseSpool)
                }
                try server.execute(SourceObjects.dropSlot(slot))
                // The standby that takes over from the new server should have it, too.
                let failover: SQL = server.majorVersion >= 17 ? ", failover => true" : ""
                do {
                    try server.execute("SET lock_timeout = '60s'")
                    try server.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput'\(failover))", slot)
                } catch let error as PostgresError where error.sqlState == "55P03" {
                    throw Self.blocked(direction, by: try Blocker.ofSlots(server))
                }
            }
        }
        return crossed
    }

    /// Has schema `martlet` of the source dropped in the end, unless it is a stranger's or another move's.
    private func noteSchema(_ journal: Connection) async throws {
        let schema = Journal.Object(
            side: .source,
            kind: "schema",
            name: "martlet",
            undo: "DROP SCHEMA IF EXISTS martlet CASCADE"
        )
        let isThere = try await withNeutralConnection(to: run.endpoints.source) { try OwnSchema.exists(on: $0) }
        guard try !isThere || Journal.objects(kinds: [schema.kind], on: journal).contains(schema) else {
            throw PostgresError(
                "another move has cut over from \(run.endpoints.source.place)",
                detail: "Its way back needs schema martlet of the source.",
                hint:
                    "End that move first: martlet finish, or martlet rollback and martlet abort, with its target. If there "
                    + "is none any more: DROP SCHEMA martlet CASCADE, on the source, which lets applications write there again"
            )
        }
        try Journal.note(schema, on: journal)
    }

    private static func makePositions(on source: Connection) async throws {
        try await source.transaction {
            try OwnSchema.make(on: source)
            try source.execute(positionTable)
            try OwnSchema.close(on: source)
        }
    }

    /// Where the reverse stream keeps its position: on the server it writes to, in the transaction that writes.
    private static let positionTable: SQL = """
        CREATE TABLE IF NOT EXISTS martlet.position (stream text NOT NULL, lane int NOT NULL, unit oid NOT NULL DEFAULT 0,
            lsn pg_lsn NOT NULL, failure jsonb, PRIMARY KEY (stream, lane, unit)) WITH (fillfactor = 10);
        DELETE FROM martlet.position
        """

    // MARK: Behind the fence

    private func stopWriters(_ crossed: inout Crossed, _ follower: Follower, _ journal: Connection) async throws {
        try await validation.pause()
        let clock = ContinuousClock()
        var lockedAt = clock.now
        let fence = Fence(
            tables: selection.tables,
            side: direction.left,
            role: run.options.sessionRoles[direction.left]
        )
        let isInUse = try await oldServerIsInUse
        try await withNeutralConnection(to: left, application: "martlet fence") { server in
            try server.keepEventTriggersQuiet()
            try await withNeutralConnection(to: entered, application: "martlet crossing") { other in
                var sequences = try SequenceCopy(from: server, to: other, maps: selection.maps, isShared: isInUse)
                _ = try await crossed.report.measure("set sequences", isDowntime: false) { try sequences.setAll() }
                var waited = Duration.zero
                try await crossed.report.measure("put up the fence") {
                    let asked = clock.now
                    try await fence.raise(on: server, journal: journal) {
                        lockedAt = clock.now
                        fenceTime.begin()
                    }
                    waited = asked.duration(to: lockedAt)
                }
                crossed.report.splitOffWait(waited, from: "put up the fence")
                try await refuseTables(madeOn: server)
                try await crossed.report.measure("drain") {
                    let row = try server.query("SELECT pg_current_wal_insert_lsn() AS lsn").first
                    try await follower.pass(try row?("lsn") ?? .zero, on: left, within: .seconds(30))
                    follower.hold()
                    // One that was left behind on the way here is not among what changed.
                    if let table = follower.standing.first { throw table.error }
                }
                crossed.report.sequences = try await crossed.report.measure("sequences and large objects") {
                    try await moveLargeObjects(since: crossed.objects, server, other, journal)
                    return try sequences.setAll()
                }
                let changed = follower.takeChangedKeys()
                try refuseTables(changedOn: server, beside: changed)
                crossed.report.rowsCompared = try await crossed.report.measure("compare what changed") {
                    try await compareAtRest(changed, catalogs: crossed.catalogs)
                }
                if run.options.sessionRoles[direction.entered] == .origin {
                    try await crossed.report.measure("give back triggers and foreign keys") {
                        try await SetAside.giveBack(on: direction.entered, other, journal: journal)
                    }
                }
                crossed.report.sequencesAhead = try sequences.overtake().map(\.description)
                let row = try other.query("SELECT pg_current_wal_insert_lsn() AS lsn").first
                crossed.reverseStart = try row?("lsn") ?? .zero
            }
        }
    }

    private func moveLargeObjects(
        since mark: LargeObjects.Mark?,
        _ server: Connection,
        _ other: Connection,
        _ journal: Connection
    ) async throws {
        let objects = LargeObjects(options: run.options.schema, jobs: run.options.jobs)
        guard let mark else {
            return try await objects.bringBack(from: server, to: other, journal: journal)
        }
        try await objects.copy(from: server, to: other, since: mark)
        guard direction == .forward else { return }
        try Journal.note(
            Journal.EqualObjects(
                source: LargeObjects.oldestTransaction(on: server),
                target: LargeObjects.oldestTransaction(on: other)
            ),
            on: journal
        )
    }
}
