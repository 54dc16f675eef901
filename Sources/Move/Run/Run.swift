import Catalog
import Engine
import Foundation
import Postgres
import Sync

/// What every step of one migration needs to know.
struct Run: Sendable {
    let endpoints: Endpoints
    let lease: Lease
    let options: MigrationOptions
    let names: Names
    let monitor: Monitor
    let throttle: Throttle
    let stages: Stages
    /// The work directory, of which other moves may use other folders.
    let directory: URL
    /// What sessions speak that copy and follow the source.
    let encoding: String
    /// What sessions speak that follow the target.
    let reverseEncoding: String
    let sourceMajor: Int

    var steps: SchemaSteps {
        SchemaSteps(endpoints: endpoints, options: options, names: names, directory: folder)
    }

    private var folder: URL { directory.appending(path: names.folder) }

    /// Reads the tables of a move as they are on the source.
    func sourceSelection() async throws -> Selection {
        try await withNeutralConnection(to: endpoints.source) { try Selection.ofSource($0, options: options) }
    }

    /// Reads the same tables as they are on the target.
    func targetSelection() async throws -> Selection {
        let source = try await sourceSelection()
        return try await withNeutralConnection(to: endpoints.target) {
            try Selection.ofTarget($0, source: source, options: options)
        }
    }

    /// The large objects, which are copied while `activity` is shown with how far it is.
    func largeObjects(_ activity: String) -> LargeObjects {
        LargeObjects(options: options.schema, jobs: options.jobs, throttle: throttle) { [monitor] done, all in
            monitor.progress(of: activity, done, of: all)
        }
    }

    /// The stream from the source to the target.
    ///
    /// `isRenamed`: whether the target's tables have got their names.
    func forwardPlan(
        _ selection: Selection,
        start: LSN,
        loads: [Journal.TableLoad],
        isRenamed: Bool
    ) -> FollowPlan {
        var units: [UInt32: (lane: Int, watermark: LSN)] = [:]
        for load in loads {
            let watermark = max(units[load.unit]?.watermark ?? .zero, load.watermark ?? start)
            units[load.unit] = (load.lane, watermark)
        }
        let published = Set(selection.published.map(\.oid))
        var plan = FollowPlan(
            source: endpoints.source,
            target: endpoints.target,
            slot: names.slot,
            publication: names.publication,
            stream: "forward",
            start: start,
            tables: units.filter { published.contains($0.key) },
            truncated: Set(loads.filter(\.isTruncated).map(\.unit)),
            referenced: Set(selection.schema.foreignKeys.map(\.referenced)),
            laneCount: options.lanes,
            isBinary: selection.isBinary,
            confirmation: options.confirmation,
            encoding: encoding,
            sessionRole: options.sessionRoles.target,
            spoolDirectory: folder.appending(path: "spool-forward"),
            maps: isRenamed ? selection.maps : selection.maps.unrenamed
        )
        plan.keepForm()
        return plan
    }

    /// The stream from the target back to the source, in the order of its transactions.
    ///
    /// `members`: the tables of its publication, which one that was made since under an old name is not among.
    func reversePlan(_ selection: Selection, start: LSN, members: Set<UInt32>) -> FollowPlan {
        let published = selection.published.filter { members.contains($0.oid) }
        var plan = FollowPlan(
            source: endpoints.target,
            target: endpoints.source,
            slot: names.reverseSlot,
            publication: names.publication,
            stream: "reverse",
            start: start,
            // All of their changes count, those too that a table which stands still has not got yet.
            tables: Dictionary(uniqueKeysWithValues: published.map { ($0.oid, (lane: 0, watermark: .zero)) }),
            referenced: Set(selection.schema.foreignKeys.map(\.referenced)),
            laneCount: 1,
            isBinary: selection.isBinary,
            confirmation: .applied,
            encoding: reverseEncoding,
            sessionRole: options.sessionRoles.source,
            spoolDirectory: reverseSpool,
            maps: selection.maps
        )
        // The spool outlives a restart, which begins where the old server is; before another slot is made the folder is emptied.
        plan.spoolIdentity = "\(names.reverseSlot.name) reverse"
        plan.keepForm()
        return plan
    }

    /// Where the changes of the way back are kept.
    var reverseSpool: URL { folder.appending(path: "spool-reverse") }

    /// Tells who a slot waits for.
    var tellBlockers: @Sendable ([Blocker]) async throws -> Void {
        { [monitor] blockers in
            let who = blockers.map(\.description).joined(separator: "; ")
            monitor.waiting("a slot can be made when these transactions end: \(who.isEmpty ? "(none now)" : who)")
        }
    }
}
