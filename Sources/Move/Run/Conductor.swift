import Catalog
import Engine
import Foundation
import Postgres
import Sync

/// Leads a move from phase to phase.
struct Conductor: Sendable {
    let run: Run

    private var endpoints: Endpoints { run.endpoints }
    private var monitor: Monitor { run.monitor }

    /// Goes on from the phase in the journal until the move ends.
    func conduct() async throws -> Migration.Outcome {
        var outcome: Migration.Outcome?
        while outcome == nil {
            let phase = try await readPhase()
            monitor.enter(phase, id: run.names.id)
            monitor.isSwitching = [.cuttingOver, .rollingBack, .rolledBack].contains(phase)
            switch phase {
            case .planned, .loading:
                outcome = try await unlessAborted { try await load(isNew: phase == .planned) }
            case .following: outcome = try await follow()
            case .cuttingOver: _ = try await undoCutover()
            case .reversing: outcome = try await reverse()
            case .rollingBack: _ = try await undoRollback(mayBeForgotten: true)
            case .copied: outcome = .copied
            case .rolledBack:
                // A crash may have come between the entry into this phase and the opening of the old server.
                // Whatever trigger cannot be dropped now, because somebody holds on to its table, waits for martlet finish.
                try await openSource()
                try await withJournal { try Journal.answerCommitted(on: $0) }
                try await Cleanup(endpoints: run.endpoints, directory: run.directory).openFence(of: .source)
                // Nobody will read it any more, and it keeps the log of its server.
                try await dropSlots(kind: Crossing.reverseSlotKind)
                try await LateValidation().run(run, side: .source)
                outcome = .rolledBack
            case .switched:
                try await OpenedServer.target.note(run)
                try await dropSlots(kind: "slot")
                outcome = .switched
            }
        }
        return outcome ?? .aborted
    }

    func readPhase() async throws -> Phase {
        try await withNeutralConnection(to: endpoints.target) { journal in
            guard let migration = try Journal.migration(on: journal), let phase = Phase(rawValue: migration.phase)
            else {
                throw PostgresError("the journal on the target is gone", hint: "Start again with martlet migrate.")
            }
            return phase
        }
    }

    /// Enters a phase, if it may follow the present one.
    func enter(_ phase: Phase, on journal: Connection) throws {
        guard let migration = try Journal.migration(on: journal),
            let present = Phase(rawValue: migration.phase), present.next.contains(phase)
        else {
            throw PostgresError("cannot enter phase \(phase.rawValue)", hint: "This is a fault of martlet; report it.")
        }
        // A pause that came before is obeyed; in a phase that switches none is taken.
        guard try Journal.enter(phase.rawValue, from: present.rawValue, unlessPaused: phase.isSwitch, on: journal)
        else {
            if phase.isSwitch, try Journal.paused(on: journal) != nil {
                throw Ask.paused(phase == .cuttingOver ? "cutover" : "rollback")
            }
            throw PostgresError(
                "the move is not in phase \"\(present.title)\" any more",
                detail: "Something else has changed the journal meanwhile."
            )
        }
    }

    // MARK: Loading

    private func load(isNew: Bool) async throws {
        let origin = try await prepareSource(isNew: isNew)
        let remaining = try await remainingUnits()
        if remaining == 0 { return try await loadIndexes() }
        try await withSnapshot(of: endpoints.source, from: origin, waiting: run.tellBlockers) { snapshot in
            monitor.waiting(nil)
            monitor.isUnderSnapshot = true
            defer { monitor.isUnderSnapshot = false }
            let selection = try await selection(under: snapshot)
            try await makeTables(selection, snapshot)
            try await whileReceiving(selection) { try await copy(selection, snapshot) }
        }
        try await completeLoad()
    }

    private func loadIndexes() async throws {
        let selection = try await run.sourceSelection()
        try await whileReceiving(selection) { try await copy(selection, nil) }
        try await completeLoad()
    }

    /// Makes what the source needs, and says where the snapshot comes from.
    private func prepareSource(isNew: Bool) async throws -> SnapshotOrigin {
        if run.options.isOnce {
            if isNew { try await withJournal { try enter(.loading, on: $0) } }
            return .plain
        }
        guard isNew else { return .temporarySlot(run.names.temporarySlot) }
        monitor.activity("preparing the source")
        let selection = try await run.sourceSelection()
        let objects = SourceObjects(names: run.names, side: .source)
        try await withJournal { journal in
            try await withNeutralConnection(to: endpoints.source) { source in
                try source.keepEventTriggersQuiet()
                try await objects.ensureIdentities(of: selection, on: source, journal: journal)
                try await objects.makePublication(of: selection, on: source, journal: journal)
                try objects.note(slot: run.names.slot, journal: journal)
                // A slot that an earlier try left has no snapshot any more.
                try source.execute(SourceObjects.dropSlot(run.names.slot))
            }
        }
        monitor.activity("making the replication slot")
        return .newSlot(run.names.slot) { start in
            try await withNeutralConnection(to: run.endpoints.target) { journal in
                try await journal.transaction {
                    try Journal.noteSlotStart(start, on: journal)
                    try enter(.loading, on: journal)
                }
            }
            run.monitor.enter(.loading, id: run.names.id)
        }
    }

    private func selection(under snapshot: Snapshot) async throws -> Selection {
        try await withNeutralConnection(to: endpoints.source) { source in
            try source.begin(sharing: snapshot)
            let selection = try Selection.ofSource(source, options: run.options)
            guard !run.options.isOnce else { return selection }
            // What was made since then is in no stream: a table that is copied and not followed would go unnoticed.
            return selection.keeping(published: try SourceObjects.published(by: run.names.publication, on: source))
        }
    }

    private func makeTables(_ selection: Selection, _ snapshot: Snapshot) async throws {
        let hasSchema = try await withJournal { journal in
            try Journal.plan(selection.loads(lanes: run.options.lanes), on: journal)
            let hasSchema = try Journal.migration(on: journal)?.hasSchema ?? false
            if !hasSchema {
                try SourceObjects(names: run.names, side: .source).noteCopiedIdentities(journal: journal)
            }
            return hasSchema
        }
        guard !hasSchema else { return }
        monitor.activity("making the tables")
        try await run.steps.makeTables(selection, snapshot: snapshot, sourceMajor: run.sourceMajor)
    }

    /// Receives changes into the spool while tables are copied, so that the source need not keep its log.
    private func whileReceiving(
        _ selection: Selection,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        guard !run.options.isOnce else {
            try await body()
            return try await refuseRewritten()
        }
        let (plan, schema) = try await forwardPlan(selection)
        try await withFollower(plan, schema: schema, throttle: run.throttle, stages: run.stages) { follower in
            monitor.watch(follower)
            try await body()
            try await forgetTruncated(follower, plan)
        }
    }

    /// Lets changes not count that a TRUNCATE during the load has made void.
    private func forgetTruncated(_ follower: Follower, _ plan: FollowPlan) async throws {
        monitor.activity("reading what was written meanwhile")
        let truncations = try await follower.truncations(plan)
        try await refuseRewritten(besides: Set(truncations.keys))
        guard !truncations.isEmpty else { return }
        try await withJournal { journal in
            for (unit, position) in truncations { try Journal.noteTruncated(unit: unit, at: position, on: journal) }
        }
    }

    /// Refuses a copy of tables that were given another file before they were read; of those in `truncated` it is known why, and
    /// the changes tell what is in them.
    private func refuseRewritten(besides truncated: Set<UInt32> = []) async throws {
        try await withJournal { journal in
            let rewritten = try Journal.loads(on: journal).filter { $0.isRewritten && !truncated.contains($0.unit) }
            guard !rewritten.isEmpty else { return }
            try Journal.noteIncomplete(units: rewritten.map(\.unit), on: journal)
            let names = rewritten.map { "\"\($0.table)\"" }.sorted().joined(separator: ", ")
            throw PostgresError(
                "tables were rewritten on the source while they were copied",
                detail:
                    "VACUUM FULL, CLUSTER, pg_repack, TRUNCATE or ALTER TABLE came between the snapshot of the copy and the "
                    + "copying, so that rows may be missing: \(names).",
                hint: "Run the same command again: "
                    + (run.options.isOnce
                        ? "everything is copied again. " : "they are copied again, all others are kept. ")
                    + "Where columns were changed, change them on the target first (martlet verify --schema)."
            )
        }
    }

    func forwardPlan(_ selection: Selection) async throws -> (FollowPlan, Schema) {
        try await withJournal { journal in
            let migration = try Journal.migration(on: journal)
            let plan = run.forwardPlan(
                selection,
                start: migration?.slotStart ?? .zero,
                loads: try Journal.loads(on: journal),
                isRenamed: migration?.hasConstraints == true
            )
            return (plan, try Schema(journal))
        }
    }

    /// Units are loaded as a whole: the stream does not tell partitions apart.
    ///
    /// Without a stream, all tables are one unit.
    private func remainingUnits() async throws -> Int {
        try await withJournal { journal in
            let loads = try Journal.loads(on: journal)
            return loads.isEmpty ? 1 : loads.count - complete(loads).count
        }
    }

    private func complete(_ loads: [Journal.TableLoad]) -> Set<QualifiedName> {
        let incomplete = loads.filter { $0.state != .loaded && $0.state != .ready }
        if run.options.isOnce, !incomplete.isEmpty { return [] }
        let units = Set(incomplete.map(\.unit))
        return Set(loads.filter { !units.contains($0.unit) }.map(\.table))
    }

    private func copy(_ selection: Selection, _ snapshot: Snapshot?) async throws {
        let loads = try await withJournal { journal in
            // A partitioned table holds no rows of its own.
            for table in selection.tables where table.kind == .partitioned {
                try Journal.addPart(of: table.name, rows: 0, bytes: 0, isLast: true, on: journal)
            }
            return try Journal.loads(on: journal)
        }
        let stored = Set(selection.stored.map(\.name))
        let progress = LoadProgress(loads.filter { stored.contains($0.table) })
        monitor.watch(progress)
        Heap.giveBack()
        monitor.activity("copying tables and building indexes")
        let complete = complete(loads)
        let ready = Set(loads.filter { $0.state == .ready }.map(\.table))
        let total = selection.stored.map(\.bytes).reduce(0, +)
        // While rows are copied the target's tables are called as the source's.
        let maps = selection.maps.unrenamed
        let tables = selection.stored.map { table -> LoadTable in
            var load = LoadTable(
                table,
                map: maps[table.name],
                through: selection.schema.loadingRoot(of: table),
                totalBytes: total,
                jobs: run.options.jobs,
                partBytes: run.options.partBytes
            )
            load.order = selection.mapped[table.oid]?.order ?? 0
            return load
        }
        var loader = Loader(
            source: endpoints.source,
            target: endpoints.target,
            encoding: run.encoding,
            jobs: run.options.jobs,
            isReplica: !run.options.isOnce && run.options.sessionRoles.target == .replica,
            progress: progress,
            throttle: run.throttle,
            stages: run.stages
        )
        loader.run = run.lease.run
        loader.recordsParts = run.options.partBytes != nil
        loader.tell = { [monitor] in monitor.event($0) }
        try await loader.load(
            tables.filter { !complete.contains($0.table.name) },
            loaded: tables.filter { complete.contains($0.table.name) && !ready.contains($0.table.name) },
            under: snapshot
        )
        try await copyOtherData(selection)
    }

    private func copyOtherData(_ selection: Selection) async throws {
        Heap.giveBack()
        monitor.activity("copying sequences and large objects")
        try await withNeutralConnection(to: endpoints.target) { target in
            try await IndexBuilder.finishPartitioned(selection.schema, tables: selection.tables, on: target)
            try await withNeutralConnection(to: endpoints.source) { source in
                // What is called otherwise in the end is not yet.
                var sequences = try SequenceCopy(from: source, to: target, maps: selection.maps.unrenamed)
                try sequences.setAll()
                let objects = run.largeObjects("copying large objects")
                _ = try await run.throttle.whileUsed { try await objects.copy(from: source, to: target) }
            }
        }
    }

    private func completeLoad() async throws {
        monitor.writeTables()
        guard run.options.isOnce else { return try await withJournal { try enter(.following, on: $0) } }
        try await makeConstraints()
        try await withJournal { try enter(.copied, on: $0) }
    }

    func makeConstraints() async throws {
        guard try await withJournal({ try Journal.migration(on: $0)?.hasConstraints }) == false else { return }
        try await run.throttle.wait()
        Heap.giveBack()
        monitor.activity("making foreign keys, triggers and views")
        try await run.steps.makeConstraints(run.sourceSelection())
    }

    func withJournal<Result>(_ body: (Connection) async throws -> Result) async throws -> Result {
        try await withNeutralConnection(to: endpoints.target, application: "martlet journal", body)
    }
}
