import Catalog
import Engine
import Foundation
import Postgres
import Sync

extension Conductor {
    /// Follows the source until something is asked that ends it.
    func follow() async throws -> Migration.Outcome? {
        try await OpenedServer.target.refuseIfForgotten(run)
        // An earlier try may have been broken off between it and the fence.
        try await dropSlots(kind: Crossing.reverseSlotKind)
        let selection = try await run.sourceSelection()
        if selection.maps.renames,
            let outcome = try await unlessAborted({ try await renameBeforeFollowing(selection) })
        {
            return outcome
        }
        if try await withJournal({ try Journal.migration(on: $0)?.hasConstraints }) == true {
            try await setAside(on: .target)
        }
        let (plan, schema) = try await forwardPlan(selection)
        let crossing = Crossing(run: run, direction: .forward, plan: plan, selection: selection)
        let decision = try await withFollower(plan, schema: schema, throttle: run.throttle, stages: run.stages) {
            follower -> Decision in
            run.monitor.watch(follower)
            if let request = try await requestOfAbort(during: { try await startApplying(follower, plan) }) {
                return .stop(.aborted, request)
            }
            let decision = try await serve(follower, crossing)
            // Writers stand still: the stream that nobody needs any more ends after the other server is open.
            if case .crossed(let crossed, let request) = decision {
                try await open(crossed, request, within: crossing.fenceTime)
            }
            return decision
        }
        run.monitor.watch(nil as Follower?)
        guard case .stop(let outcome, let request) = decision else { return nil }
        return try await stop(outcome, request)
    }

    /// Follows the new server back to the old one, after a cutover.
    func reverse() async throws -> Migration.Outcome? {
        try await OpenedServer.source.refuseIfForgotten(run)
        let selection = try await run.targetSelection()
        let start = try await withNeutralConnection(to: run.endpoints.source) { source in
            try source.query("SELECT lsn FROM martlet.position WHERE stream = 'reverse' AND unit = 0").first?(
                "lsn",
                as: LSN.self
            )
        }
        let plan = run.reversePlan(selection, start: start ?? .zero, members: try await reverseMembers())
        let schema = try await withNeutralConnection(to: run.endpoints.source) { try Schema($0) }
        let crossing = Crossing(run: run, direction: .reverse, plan: plan, selection: selection)
        try await OpenedServer.target.note(run)
        try await dropSlots(kind: "slot")
        try await setAside(on: .source)
        let decision = try await withFollower(plan, schema: schema, throttle: run.throttle, stages: run.stages) {
            follower in
            run.monitor.watch(follower)
            follower.release()
            run.monitor.activity("waiting for changes")
            let decision = try await whileValidating(crossing) { try await serve(follower, crossing) }
            if case .crossed(let crossed, let request) = decision { try await openOldServer(crossed, request) }
            return decision
        }
        run.monitor.watch(nil as Follower?)
        guard case .stop(let outcome, let request) = decision else { return nil }
        return try await stop(outcome, request)
    }

    /// Catches up with the last table and makes the constraints, with which the target's objects get their names.
    ///
    /// In a stream of its own: the lanes find tables by their names.
    private func renameBeforeFollowing(_ selection: Selection) async throws {
        guard try await withJournal({ try Journal.migration(on: $0)?.hasConstraints }) == false else { return }
        let (plan, schema) = try await forwardPlan(selection)
        try await withFollower(plan, schema: schema, throttle: run.throttle, stages: run.stages) { follower in
            run.monitor.watch(follower)
            try await makeConstraints(follower, plan)
        }
        run.monitor.watch(nil as Follower?)
    }

    /// Lets the lanes go, and makes foreign keys and triggers before, at a position where all tables are consistent.
    private func startApplying(_ follower: Follower, _ plan: FollowPlan) async throws {
        if try await withJournal({ try Journal.migration(on: $0)?.hasConstraints }) == false {
            try await makeConstraints(follower, plan)
        }
        follower.release()
        run.monitor.activity("waiting for changes")
    }

    /// Tells which tables came to a stand, and which go on.
    func tell(of follower: Follower) {
        run.monitor.note(standing: follower.standing)
    }

    private func makeConstraints(_ follower: Follower, _ plan: FollowPlan) async throws {
        let latest = plan.tables.values.map(\.watermark).max() ?? plan.start
        if latest > plan.start {
            run.monitor.activity("catching up with the last table")
            // With the transaction at that position: it may have truncated this table, and with it those that refer to it.
            let end = LSN(latest.value + 1)
            try await run.throttle.wait()
            follower.release(upTo: end)
            try await follower.pass(end, on: plan.source, within: .seconds(24 * 3600))
        }
        // Validation would find rows that refer to what a table still lacks.
        while let table = follower.standing.first {
            run.monitor.waiting("table \"\(table.table)\" stands still: \(table.message)")
            tell(of: follower)
            try await Task.sleep(for: .milliseconds(200))
        }
        try await makeConstraints()
    }

    // MARK: Opening the other server

    /// Arms the way back, proves it, and passes the point of no return.
    private func open(
        _ crossed: Crossing.Crossed,
        _ request: Journal.Request,
        within fenceTime: FenceTime
    ) async throws {
        do {
            try await fenceTime.bound {
                guard crossed.keepsWayBack else { return try await open(.switched, crossed.report, request, fenceTime) }
                try await withWayBack(crossed) { try await open(.reversing, $0, request, fenceTime) }
            }
        } catch {
            try await withoutCancellation { [self] in
                if !fenceTime.isDecided { await openSourceAtOnce() }
                // What failed may have been to hear that the point of no return was passed.
                guard try await undoCutover() else {
                    try await withJournal { try Journal.answerCommitted(on: $0) }
                    return try await OpenedServer.target.note(run)
                }
                run.monitor.failure(of: "the \(request.kind)", PostgresError(telling: error))
                try await withJournal { try Self.answer(request, failure: error, on: $0) }
            }
        }
        fenceTime.end()
    }

    /// Passes the point of no return and tells it.
    private func open(
        _ phase: Phase,
        _ report: CutoverReport,
        _ request: Journal.Request,
        _ fenceTime: FenceTime
    ) async throws {
        var report = report
        try await withJournal { journal in
            try await report.measure("open the new server") { [report] in
                fenceTime.decide()
                try await pass(into: phase, request, report, on: journal)
            }
            // Should it be stopped now, or the target be lost: the next run would note it too late.
            try? await OpenedServer.target.note(run)
            try Self.answer(request, report, on: journal)
        }
        run.monitor.note(report)
        run.monitor.event("cut over; writers stood still for \(Int(report.downtimeMilliseconds.rounded())) ms")
    }

    /// Passes the point of no return, unless the request was withdrawn meanwhile.
    ///
    /// `report`: the answer, should nobody be left to give it.
    private func pass(
        into phase: Phase,
        _ request: Journal.Request,
        _ report: CutoverReport,
        on journal: Connection
    ) async throws {
        try await journal.transaction {
            let answer = try Self.encode(report)
            guard try Journal.commit(request, answer: answer, on: journal) else { throw Self.withdrawn(request) }
            try enter(phase, on: journal)
        }
    }

    /// Proves that changes of the new server reach the old one, and runs `body` while they do.
    private func withWayBack(
        _ crossed: Crossing.Crossed,
        _ body: @escaping @Sendable (CutoverReport) async throws -> Void
    ) async throws {
        let run = run
        let (selection, schema) = (crossed.reverseSelection, crossed.reverseSchema)
        let plan = run.reversePlan(selection, start: crossed.reverseStart, members: try await reverseMembers())
        try await withFollower(plan, schema: schema, throttle: run.throttle, stages: run.stages) { follower in
            var report = crossed.report
            follower.release()
            try await report.measure("prove the way back") {
                let position = try await withNeutralConnection(to: run.endpoints.target) { target in
                    try Follower.beat(target)
                    return try target.query("SELECT pg_current_wal_insert_lsn() AS lsn").first?("lsn", as: LSN.self)
                }
                try await follower.pass(position ?? .zero, on: run.endpoints.target, within: .seconds(10))
                guard try follower.waitDurable(crossed.reverseStart, within: .seconds(10)) else {
                    throw PostgresError("the way back does not save its position on the old server")
                }
            }
            try await body(report)
        }
    }

    private func reverseMembers() async throws -> Set<UInt32> {
        try await withNeutralConnection(to: run.endpoints.target) { server in
            try SourceObjects.published(by: run.names.publication, on: server)
        }
    }

    /// Opens the source after a rollback, and notes that.
    func openSource() async throws {
        try await withNeutralConnection(to: run.endpoints.source, application: "martlet fence") { source in
            try source.keepEventTriggersQuiet()
            try await source.transaction {
                try OpenedServer.source.note(run, on: source)
                try Fence.open(on: source)
            }
        }
    }

    /// Lets writers in on the source again, also when the journal is out of reach, unless their triggers come first.
    ///
    /// Only for a fence of ours, before the point of no return. Its triggers go later.
    func openSourceAtOnce() async {
        guard run.options.sessionRoles.source == .replica else { return }
        try? await withNeutralConnection(to: run.endpoints.source, application: "martlet fence") { source in
            try source.keepEventTriggersQuiet()
            try Fence.open(on: source)
        }
    }

    /// Drops the slot of the stream to the target, or of the way back, which nobody will read any more.
    func dropSlots(kind: String) async throws {
        try await Cleanup(endpoints: run.endpoints, directory: run.directory).removeObjects(kinds: [kind])
    }

    /// Undoes a switch that has not come to its point of no return.
    func undo(_ direction: Crossing.Direction) async throws {
        switch direction {
        case .forward: _ = try await undoCutover()
        case .reverse: _ = try await undoRollback(mayBeForgotten: false)
        }
    }

    /// Takes the fence away again and goes back to following, unless the point of no return is passed; then false.
    ///
    /// The phase is held meanwhile: an entry into the next one that is still on its way fails.
    func undoCutover() async throws -> Bool {
        try await withJournal { journal in
            try await Journal.whileHolding(Phase.cuttingOver.rawValue, on: journal) {
                try await OpenedServer.target.refuseIfForgotten(run)
                run.monitor.activity("taking the fence away")
                let cleanup = Cleanup(endpoints: run.endpoints, directory: run.directory)
                // Writers need their triggers. Somebody who only reads may be in the way of a rule, and they cannot wait for him.
                do {
                    try await cleanup.removeObjects(kinds: [ReplicaTriggers.kind], side: .source)
                } catch let error as PostgresError where error.isTransient {}
                try await cleanup.openFence(of: .source)
                try await cleanup.removeObjects(kinds: [ReplicaTriggers.kind], side: .source)
                try await dropSlots(kind: Crossing.reverseSlotKind)
                try await setAside(on: .target)
                try enter(.following, on: journal)
            }
        }
    }

    /// Passes the point of no return of a rollback, then opens the old server, whose triggers go later.
    private func openOldServer(_ crossed: Crossing.Crossed, _ request: Journal.Request) async throws {
        var report = crossed.report
        do {
            try await report.measure("open the old server") {
                try await withJournal { try await pass(into: .rolledBack, request, crossed.report, on: $0) }
                Milestone.reach("reverse: rolled back")
                try await openSource()
            }
        } catch {
            run.monitor.failure(of: "the rollback", PostgresError(telling: error))
            return try await withoutCancellation { [self] in
                // Once it is rolled back, the next try opens the old server.
                guard try await undoRollback(mayBeForgotten: false) else { throw error }
                try await withJournal { try Self.answer(request, failure: error, on: $0) }
            }
        }
        try await withJournal { try Self.answer(request, report, on: $0) }
        run.monitor.note(report)
        run.monitor.event("rolled back; writers stood still for \(Int(report.downtimeMilliseconds.rounded())) ms")
    }

    /// Takes the fence on the new server away again and goes on carrying changes back, unless it is rolled back; then false.
    ///
    /// `mayBeForgotten`: whether the old server may have been opened, which only that can tell; it may be what is gone.
    func undoRollback(mayBeForgotten: Bool) async throws -> Bool {
        try await withJournal { journal in
            try await Journal.whileHolding(Phase.rollingBack.rawValue, on: journal) {
                if mayBeForgotten { try await OpenedServer.source.refuseIfForgotten(run) }
                try await Cleanup(endpoints: run.endpoints, directory: run.directory).openFence(of: .target)
                try await setAside(on: .source)
                try enter(.reversing, on: journal)
            }
        }
    }
}
