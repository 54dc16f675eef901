import Catalog
import Engine
import Foundation
import Postgres
import Sync

extension Conductor {
    /// What ended the service of a stream.
    enum Decision: Sendable {
        /// Writers are stopped, everything is applied and compared; what is left is to open the other server.
        case crossed(Crossing.Crossed, Journal.Request)
        /// Remove what was made.
        case stop(Migration.Outcome, Journal.Request)
    }

    /// Follows the source until something is asked that ends it.
    func follow() async throws -> Migration.Outcome? {
        let selection = try await run.sourceSelection()
        let (plan, schema) = try await forwardPlan(selection)
        let crossing = Crossing(run: run, direction: .forward, plan: plan, selection: selection)
        let decision = try await withFollower(plan, schema: schema) { follower in
            run.monitor.watch(follower)
            try await startApplying(follower, plan)
            return try await serve(follower, crossing)
        }
        run.monitor.watch(nil as Follower?)
        switch decision {
        case .stop(let outcome, let request): return try await stop(outcome, request)
        case .crossed(let crossed, let request): return try await open(crossed, request)
        }
    }

    /// Follows the new server back to the old one, after a cutover.
    func reverse() async throws -> Migration.Outcome? {
        let selection = try await run.targetSelection()
        let start = try await withNeutralConnection(to: run.endpoints.source) { source in
            try source.query("SELECT lsn FROM martlet.position WHERE stream = 'reverse'").first?("lsn", as: LSN.self)
        }
        let plan = run.reversePlan(selection, start: start ?? .zero)
        let schema = try await withNeutralConnection(to: run.endpoints.source) { try Schema($0) }
        let crossing = Crossing(run: run, direction: .reverse, plan: plan, selection: selection)
        try await dropForwardSlot()
        let decision = try await withFollower(plan, schema: schema) { follower in
            run.monitor.watch(follower)
            follower.release()
            run.monitor.activity("waiting for changes")
            return try await serve(follower, crossing)
        }
        run.monitor.watch(nil as Follower?)
        switch decision {
        case .stop(let outcome, let request): return try await stop(outcome, request)
        case .crossed(let crossed, let request): return try await openOldServer(crossed, request)
        }
    }

    /// Lets the lanes go, and makes foreign keys and triggers before, at a position where all tables are consistent.
    private func startApplying(_ follower: Follower, _ plan: FollowPlan) async throws {
        if try await withJournal({ try Journal.migration(on: $0)?.hasConstraints }) == false {
            let latest = plan.tables.values.map(\.watermark).max() ?? plan.start
            if latest > plan.start {
                run.monitor.activity("catching up with the last table")
                follower.release(upTo: latest)
                try await follower.pass(latest, on: plan.source, within: 24 * 3600)
            }
            try await makeConstraints()
        }
        follower.release()
        run.monitor.activity("waiting for changes")
    }

    /// Does what other terminals ask, until that ends the stream.
    private func serve(_ follower: Follower, _ crossing: Crossing) async throws -> Decision {
        try await withNeutralConnection(to: run.endpoints.target, application: "martlet requests") { journal in
            while true {
                guard let request = try Journal.takeRequest(on: journal) else {
                    try await Task.sleep(for: .milliseconds(50))
                    continue
                }
                run.monitor.event("asked for \(request.kind)")
                do {
                    if let decision = try await answer(request, follower, crossing, journal) { return decision }
                } catch let error as PostgresError where !error.isConnectionLoss && error != .cancelled {
                    run.monitor.event("\(request.kind) failed: \(error.message)")
                    try Self.answer(request, failure: error, on: journal)
                }
            }
        }
    }

    private func answer(
        _ request: Journal.Request,
        _ follower: Follower,
        _ crossing: Crossing,
        _ journal: Connection
    ) async throws -> Decision? {
        switch (request.kind, crossing.direction) {
        case ("verify", _):
            let ask = try JSONDecoder().decode(Ask.Verify.self, from: request.arguments)
            let verdict = try await crossing.verify(follower, ask, journal)
            try Self.answer(request, verdict, on: journal)
        case ("cutover", .forward), ("rollback", .reverse):
            let ask = try JSONDecoder().decode(Ask.Switch.self, from: request.arguments)
            guard !ask.isDryRun else {
                try Self.answer(request, try await crossing.rehearse(follower, ask), on: journal)
                return nil
            }
            return .crossed(try await crossing.cross(follower, ask, conductor: self, journal), request)
        case ("abort", .forward): return .stop(.aborted, request)
        case ("finish", .reverse): return .stop(.finished, request)
        default:
            throw PostgresError(
                "cannot \(request.kind) now",
                detail: "The move is in phase \"\(try await readPhase().title)\".",
                hint: crossing.direction == .forward
                    ? "Before the cutover, martlet cutover and martlet abort are possible."
                    : "After the cutover, martlet rollback and martlet finish are possible."
            )
        }
        return nil
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
        let cleanup = Cleanup(endpoints: run.endpoints, directory: run.directory)
        let removed = try await cleanup.removeObjects()
        try await withJournal { try Self.answer(request, removed, on: $0) }
        // The one who asked reads the answer before the journal goes.
        try await Task.sleep(for: .milliseconds(300))
        try await cleanup.removeJournal(dropsCopy: outcome == .aborted)
        return outcome
    }

    // MARK: Opening the other server

    /// Arms the way back, proves it, and passes the point of no return.
    private func open(_ crossed: Crossing.Crossed, _ request: Journal.Request) async throws -> Migration.Outcome? {
        var report = crossed.report
        do {
            if crossed.keepsWayBack {
                report = try await proveWayBack(crossed)
                try await report.measure("open the new server") {
                    try await withJournal { try enter(.reversing, on: $0) }
                }
            } else {
                try await withJournal { try enter(.switched, on: $0) }
            }
        } catch {
            try await withoutCancellation { [self] in try await undoCutover(because: (error, request)) }
            return nil
        }
        run.monitor.note(report)
        run.monitor.event("cut over; writers stood still for \(Int(report.downtimeMilliseconds.rounded())) ms")
        try await withJournal { try Self.answer(request, report, on: $0) }
        return nil
    }

    private func proveWayBack(_ crossed: Crossing.Crossed) async throws -> CutoverReport {
        let run = run
        let (selection, schema) = (crossed.reverseSelection, crossed.reverseSchema)
        let plan = run.reversePlan(selection, start: crossed.reverseStart)
        let report = crossed.report
        return try await withFollower(plan, schema: schema) { follower in
            var report = report
            follower.release()
            try await report.measure("prove the way back") {
                let position = try await withNeutralConnection(to: run.endpoints.target) { target in
                    try Follower.beat(target)
                    return try target.query("SELECT pg_current_wal_insert_lsn() AS lsn").first?("lsn", as: LSN.self)
                }
                try await follower.pass(position ?? .zero, on: run.endpoints.target, within: 10)
                guard try follower.waitDurable(crossed.reverseStart, until: Date(timeIntervalSinceNow: 10)) else {
                    throw PostgresError("the way back does not save its position on the old server")
                }
            }
            return report
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

    /// Takes the fence away again and goes back to following.
    func undoCutover(because failure: (error: any Error, request: Journal.Request)?) async throws {
        run.monitor.activity("taking the fence away")
        let cleanup = Cleanup(endpoints: run.endpoints, directory: run.directory)
        try await cleanup.removeObjects(kinds: [Fence.kind, Crossing.reverseSlotKind])
        try await withJournal { journal in
            try enter(.following, on: journal)
            if let failure { try Self.answer(failure.request, failure: failure.error, on: journal) }
        }
    }

    /// Passes the point of no return of a rollback, then opens the old server.
    private func openOldServer(
        _ crossed: Crossing.Crossed,
        _ request: Journal.Request
    ) async throws -> Migration.Outcome? {
        var report = crossed.report
        try await report.measure("open the old server") {
            try await withJournal { try enter(.rolledBack, on: $0) }
            try await Cleanup(endpoints: run.endpoints, directory: run.directory)
                .removeObjects(kinds: [Fence.kind], side: .source)
        }
        run.monitor.note(report)
        run.monitor.event("rolled back; writers stood still for \(Int(report.downtimeMilliseconds.rounded())) ms")
        try await withJournal { try Self.answer(request, report, on: $0) }
        return nil
    }

    /// Takes the fence on the new server away again and goes on carrying changes back.
    func undoRollback() async throws {
        try await Cleanup(endpoints: run.endpoints, directory: run.directory)
            .removeObjects(kinds: [Fence.kind], side: .target)
        try await withJournal { try enter(.reversing, on: $0) }
    }
}
