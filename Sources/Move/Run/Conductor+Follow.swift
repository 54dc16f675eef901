import Catalog
import Engine
import Foundation
import Postgres
import Sync

extension Conductor {
    /// What ended the service of a stream.
    private enum Decision: Sendable {
        /// Writers are stopped, everything is applied and compared; what is left is to open the other server.
        case crossed(Crossing.Crossed, Journal.Request)
        /// Remove what was made.
        case stop(Migration.Outcome, Journal.Request)
    }

    /// Follows the source until something is asked that ends it.
    func follow() async throws -> Migration.Outcome? {
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
        let selection = try await run.targetSelection()
        let start = try await withNeutralConnection(to: run.endpoints.source) { source in
            try source.query("SELECT lsn FROM martlet.position WHERE stream = 'reverse' AND unit = 0").first?(
                "lsn",
                as: LSN.self
            )
        }
        let plan = run.reversePlan(selection, start: start ?? .zero)
        let schema = try await withNeutralConnection(to: run.endpoints.source) { try Schema($0) }
        let crossing = Crossing(run: run, direction: .reverse, plan: plan, selection: selection)
        try await dropForwardSlot()
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
    private func tell(of follower: Follower) {
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

    // MARK: Answering

    /// Does a step before changes are applied; when the move is to be aborted meanwhile, gives the step up and does that.
    func unlessAborted(_ step: @escaping @Sendable () async throws -> Void) async throws -> Migration.Outcome? {
        guard let request = try await requestOfAbort(during: step) else { return nil }
        run.monitor.watch(nil as Follower?)
        try await endLoad(of: run.lease.run, source: run.endpoints.source, target: run.endpoints.target)
        return try await stop(.aborted, request)
    }

    /// Nothing but the end of the move can be had before changes are applied; whatever else is asked waits for its turn.
    private func requestOfAbort(
        during step: @escaping @Sendable () async throws -> Void
    ) async throws -> Journal.Request? {
        try await withThrowingTaskGroup(of: Journal.Request?.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                try await step()
                return nil
            }
            group.addTask {
                try await withNeutralConnection(to: run.endpoints.target, application: "martlet requests") { journal in
                    while true {
                        if let request = try Journal.takeRequest(of: ["abort"], on: journal) {
                            run.monitor.event("asked for \(Ask.title(request.kind, arguments: request.arguments))")
                            return request
                        }
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
            return try await group.next() ?? nil
        }
    }

    /// Does what other terminals ask, until that ends the stream.
    private func serve(_ follower: Follower, _ crossing: Crossing) async throws -> Decision {
        try await withNeutralConnection(to: run.endpoints.target, application: "martlet requests") { journal in
            // One that was taken in the moment when the step before had ended.
            try Journal.returnRequests(on: journal)
            var nextLook = ContinuousClock.now
            while true {
                tell(of: follower)
                guard let request = try Journal.takeRequest(on: journal) else {
                    try await lookForDrift(crossing, &nextLook)
                    try await Task.sleep(for: .milliseconds(50))
                    continue
                }
                run.monitor.event("asked for \(Ask.title(request.kind, arguments: request.arguments))")
                do {
                    if let decision = try await answer(request, follower, crossing, journal) { return decision }
                } catch let error as PostgresError where !error.isConnectionLoss && error != .cancelled {
                    run.monitor.failure(of: Ask.title(request.kind, arguments: request.arguments), error)
                    try Self.answer(request, failure: error, on: journal)
                }
                run.monitor.activity("waiting for changes")
            }
        }
    }

    /// Looks once a minute how tables have become different, before the first row shows it.
    private func lookForDrift(_ crossing: Crossing, _ next: inout ContinuousClock.Instant) async throws {
        guard ContinuousClock.now >= next else { return }
        let drift = try await crossing.drift().map { "\($0.text)\n\($0.remedy.text);" }
        let new = try await crossing.newTables().map { "table \"\($0)\" is new, and is not moved" }
        // Somebody may have made a trigger or a foreign key meanwhile.
        try await setAside(on: crossing.direction.entered, waits: false)
        run.monitor.note(drift: drift + new)
        next = .now + .seconds(60)
    }

    private func answer(
        _ request: Journal.Request,
        _ follower: Follower,
        _ crossing: Crossing,
        _ journal: Connection
    ) async throws -> Decision? {
        // The journal knows sooner than the throttle that somebody has just resumed the move.
        if Ask.needsStream(request.kind, arguments: request.arguments), try Journal.paused(on: journal) != nil {
            throw Ask.paused(request.kind)
        }
        switch (request.kind, crossing.direction) {
        case ("verify", _):
            let ask = try JSONDecoder().decode(Ask.Verify.self, from: request.arguments)
            let verdict = try await whileWanted(request) { journal in
                guard ask.repairs else { return try await crossing.verify(follower, ask, journal) }
                return try await Repair(crossing: crossing, follower: follower).verifyAndRepair(ask, journal)
            }
            try Self.answer(request, verdict, on: journal)
        case ("resync", _):
            let ask = try JSONDecoder().decode(Ask.Resync.self, from: request.arguments)
            let report = try await whileWanted(request) { _ in
                try await Repair(crossing: crossing, follower: follower).resync(ask)
            }
            try Self.answer(request, report, on: journal)
        case ("cutover", .forward), ("rollback", .reverse):
            let ask = try JSONDecoder().decode(Ask.Switch.self, from: request.arguments)
            guard !ask.isDryRun else {
                try Self.answer(request, try await crossing.rehearse(follower, ask), on: journal)
                return nil
            }
            let crossed = try await crossing.fenceTime.bound {
                try await whileWanted(request) { journal in
                    try await crossing.cross(follower, ask, conductor: self, journal)
                }
            }
            return .crossed(crossed, request)
        case ("abort", .forward): return .stop(.aborted, request)
        case ("finish", .reverse): return .stop(.finished, request)
        default:
            throw PostgresError(
                "\(request.kind) is not possible now",
                detail: "The move is in phase \"\(try await readPhase().title)\".",
                hint: crossing.direction == .forward
                    ? "Before the cutover, martlet cutover and martlet abort are possible."
                    : "After the cutover, martlet rollback and martlet finish are possible."
            )
        }
        return nil
    }

    /// Does what was asked, with a session of its own on the journal, until the one who asked gives up waiting.
    private func whileWanted<Result: Sendable>(
        _ request: Journal.Request,
        _ body: @escaping @Sendable (Connection) async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                try await withNeutralConnection(to: run.endpoints.target, application: "martlet requests", body)
            }
            group.addTask {
                try await withNeutralConnection(to: run.endpoints.target, application: "martlet requests") { journal in
                    while try Journal.isWanted(request, on: journal) { try await Task.sleep(for: .milliseconds(100)) }
                }
                throw Self.withdrawn(request)
            }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }

    private static func withdrawn(_ request: Journal.Request) -> PostgresError {
        PostgresError("the \(request.kind) was withdrawn", detail: "Writers go on where they were.")
    }

    static func answer(_ request: Journal.Request, _ content: some Encodable, on journal: Connection) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try Journal.answer(request, isDone: true, content: try encoder.encode(content), on: journal)
    }

    static func answer(_ request: Journal.Request, failure: any Error, on journal: Connection) throws {
        let content = try JSONEncoder().encode(Ask.Failure(failure))
        try Journal.answer(request, isDone: false, content: content, on: journal)
    }

    private func stop(_ outcome: Migration.Outcome, _ request: Journal.Request) async throws -> Migration.Outcome {
        run.monitor.activity(outcome == .aborted ? "removing what was made" : "finishing")
        let ask = try JSONDecoder().decode(Ask.Stop.self, from: request.arguments)
        let cleanup = Cleanup(endpoints: run.endpoints, directory: run.directory)
        let dropsCopy = outcome == .aborted && ask.dropsCopy
        let removed = try await cleanup.removeObjects(dropsCopy: dropsCopy)
        try await withJournal { try Self.answer(request, removed, on: $0) }
        Milestone.reach("after the answer to the end")
        // The one who asked reads the answer before the journal goes.
        try await Task.sleep(for: .milliseconds(300))
        try await cleanup.removeJournal(dropsCopy: dropsCopy)
        return outcome == .aborted && !dropsCopy ? .abortedKeepingCopy : outcome
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
                guard crossed.keepsWayBack else { return try await open(.switched, crossed.report, request) }
                try await withWayBack(crossed) { report in try await open(.reversing, report, request) }
            }
        } catch {
            run.monitor.failure(of: "the \(request.kind)", PostgresError(telling: error))
            try await withoutCancellation { [self] in
                let isUndone = try await undoCutover()
                // What failed may have been to hear that the point of no return was passed.
                try await withJournal { journal in
                    if isUndone {
                        try Self.answer(request, failure: error, on: journal)
                    } else {
                        try Self.answer(request, crossed.report, on: journal)
                    }
                }
            }
        }
        fenceTime.end()
    }

    /// Passes the point of no return and tells it.
    private func open(_ phase: Phase, _ report: CutoverReport, _ request: Journal.Request) async throws {
        var report = report
        try await withJournal { journal in
            try await report.measure("open the new server") { try await pass(into: phase, request, on: journal) }
            try Self.answer(request, report, on: journal)
        }
        run.monitor.note(report)
        run.monitor.event("cut over; writers stood still for \(Int(report.downtimeMilliseconds.rounded())) ms")
    }

    /// Passes the point of no return, unless the request was withdrawn meanwhile.
    private func pass(into phase: Phase, _ request: Journal.Request, on journal: Connection) async throws {
        try await journal.transaction {
            guard try Journal.commit(request, on: journal) else { throw Self.withdrawn(request) }
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
        let plan = run.reversePlan(selection, start: crossed.reverseStart)
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

    private func dropForwardSlot() async throws {
        try await withJournal { journal in
            let slots = try Journal.objects(kinds: ["slot"], on: journal).filter { $0.side == .source }
            guard !slots.isEmpty else { return }
            try await withNeutralConnection(to: run.endpoints.source) { source in
                for slot in slots {
                    try source.execute(slot.undo)
                    try Journal.noteRemoved(slot, on: journal)
                }
            }
        }
    }

    /// Takes the fence away again and goes back to following, unless the point of no return is passed; then false.
    ///
    /// The phase is held meanwhile: an entry into the next one that is still on its way fails.
    func undoCutover() async throws -> Bool {
        try await withJournal { journal in
            try await Journal.whileHolding(Phase.cuttingOver.rawValue, on: journal) {
                run.monitor.activity("taking the fence away")
                let cleanup = Cleanup(endpoints: run.endpoints, directory: run.directory)
                try await cleanup.removeObjects(kinds: [Fence.kind, Crossing.reverseSlotKind])
                try await cleanup.removeObjects(kinds: [ReplicaTriggers.kind], side: .source)
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
                try await withJournal { try await pass(into: .rolledBack, request, on: $0) }
                try await withNeutralConnection(to: run.endpoints.source) { source in
                    try source.keepEventTriggersQuiet()
                    try Fence.open(on: source)
                }
            }
        } catch {
            run.monitor.failure(of: "the rollback", PostgresError(telling: error))
            return try await withoutCancellation { [self] in
                // Once it is rolled back, the next try opens the old server.
                guard try await undoRollback() else { throw error }
                try await withJournal { try Self.answer(request, failure: error, on: $0) }
            }
        }
        try await withJournal { try Self.answer(request, report, on: $0) }
        run.monitor.note(report)
        run.monitor.event("rolled back; writers stood still for \(Int(report.downtimeMilliseconds.rounded())) ms")
    }

    /// Lets writers in again; may be repeated.
    func lowerFence(of side: Journal.Side) async throws {
        try await Cleanup(endpoints: run.endpoints, directory: run.directory)
            .removeObjects(kinds: [Fence.kind], side: side)
    }

    /// Takes the fence on the new server away again and goes on carrying changes back, unless it is rolled back; then false.
    func undoRollback() async throws -> Bool {
        try await withJournal { journal in
            try await Journal.whileHolding(Phase.rollingBack.rawValue, on: journal) {
                try await lowerFence(of: .target)
                try await setAside(on: .source)
                try enter(.reversing, on: journal)
            }
        }
    }
}
