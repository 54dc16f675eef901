import Catalog
import Engine
import Foundation
import Postgres
import Sync

/// What other terminals ask of a move that runs.
extension Conductor {
    /// What ended the service of a stream.
    enum Decision: Sendable {
        /// Writers are stopped, everything is applied and compared; what is left is to open the other server.
        case crossed(Crossing.Crossed, Journal.Request)
        /// Remove what was made.
        case stop(Migration.Outcome, Journal.Request)
    }

    /// Does a step before changes are applied; when the move is to be aborted meanwhile, gives the step up and does that.
    func unlessAborted(_ step: @escaping @Sendable () async throws -> Void) async throws -> Migration.Outcome? {
        guard let request = try await requestOfAbort(during: step) else { return nil }
        run.monitor.watch(nil as Follower?)
        try await endLoad(of: run.lease.run, source: run.endpoints.source, target: run.endpoints.target)
        return try await stop(.aborted, request)
    }

    /// Nothing but the end of the move can be had before changes are applied; whatever else is asked waits for its turn.
    func requestOfAbort(
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
                        if let request = try Journal.takeRequest(of: ["abort"], on: journal),
                            try Journal.commit(request, on: journal)
                        {
                            run.monitor.event("asked for \(Ask.title(request.kind, arguments: request.arguments))")
                            return request
                        }
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
            if let request = try await group.next() ?? nil { return request }
            group.cancelAll()
            do {
                // One that was taken in the moment when the step ended.
                return try await group.next() ?? nil
            } catch let error as PostgresError where error.isConnectionLoss {
                throw error
            } catch {
                // Nobody has asked: it was cancelled while it looked.
                return nil
            }
        }
    }

    /// Does what other terminals ask, until that ends the stream.
    func serve(_ follower: Follower, _ crossing: Crossing) async throws -> Decision {
        try await withNeutralConnection(to: run.endpoints.target, application: "martlet requests") { journal in
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
                } catch let error as PostgresError
                    where !error.isConnectionLoss && error != .cancelled && !run.monitor.isSwitching
                {
                    // Where writers may still stand still, the run ends, and the next one lets them in.
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
        let drift = try await crossing.drift().map { "on the server that is followed, \($0.text)\n\($0.remedy.text);" }
        let new = try await crossing.newTables().map {
            "on the server that is followed, table \"\($0)\" is new, and is not moved"
        }
        // Somebody may have made a trigger or a foreign key meanwhile.
        try await setAside(on: crossing.direction.entered, waits: false)
        let gaps = crossing.direction == .forward ? [] : try await crossing.gapsOfFence()
        run.monitor.note(drift: drift + new + gaps)
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
        case ("abort", .forward), ("finish", .reverse):
            guard try Journal.commit(request, on: journal) else { throw Self.withdrawn(request) }
            return .stop(request.kind == "abort" ? .aborted : .finished, request)
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

    static func withdrawn(_ request: Journal.Request) -> PostgresError {
        PostgresError("the \(request.kind) was withdrawn", detail: "Writers go on where they were.")
    }

    static func answer(_ request: Journal.Request, _ content: some Encodable, on journal: Connection) throws {
        try Journal.answer(request, isDone: true, content: try encode(content), on: journal)
    }

    static func encode(_ answer: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        return try encoder.encode(answer)
    }

    static func answer(_ request: Journal.Request, failure: any Error, on journal: Connection) throws {
        let content = try JSONEncoder().encode(Ask.Failure(failure))
        try Journal.answer(request, isDone: false, content: content, on: journal)
    }

    func stop(_ outcome: Migration.Outcome, _ request: Journal.Request) async throws -> Migration.Outcome {
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
}
