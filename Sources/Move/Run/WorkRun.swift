import Engine
import Postgres
public import Sync

/// Helps with the load of a move that another martlet leads, until nothing is left to do.
///
/// That one may be stopped and started again meanwhile: its new run has a new snapshot, and this joins it anew.
public struct WorkRun: Sendable {
    /// How it ended.
    public enum Outcome: Sendable, Hashable {
        /// The load that it has joined is done, or the move has ended.
        case loadIsOver
        /// Nothing was left to do when it came; the phase that the move was in.
        case nothingLeft(Phase)
    }

    /// For how long somebody who has worked waits for the one that leads the load to come back.
    static let patience = Duration.seconds(600)

    private let endpoints: Endpoints
    private let jobs: Int
    private let wait: Duration
    private let progress: WorkProgress
    private let tell: @Sendable (String) -> Void

    /// Prepares it; nothing is connected to yet.
    ///
    /// `wait`: how long to wait for a load to begin, or for a server that cannot be reached.
    public init(
        endpoints: Endpoints,
        jobs: Int,
        wait: Duration,
        progress: WorkProgress,
        tell: @escaping @Sendable (String) -> Void
    ) {
        self.endpoints = endpoints
        self.jobs = jobs
        self.wait = wait
        self.progress = progress
        self.tell = tell
    }

    /// Where the move stands, for one who wants to help.
    private enum Standing {
        /// The load of a migration can be joined.
        case open(Journal.OpenLoad, Lease, of: String)
        /// Somebody leads the move, and has not got as far.
        case preparing
        /// Nobody leads it, or there is none: why not, if nothing changes.
        case missing(PostgresError)
        /// Nothing is left to do; nil is a move of which nothing is left at all.
        case over(Phase?)
    }

    /// Works until nothing is left to do.
    ///
    /// - Throws: what kept a piece from being done, or that there is nothing to join and was not in time.
    public func run() async throws -> Outcome {
        var joined: String?
        var end = ContinuousClock.now + wait
        var (told, pause) = ("", Duration.milliseconds(100))
        var lacks = 0
        while true {
            switch try await look(hasJoined: joined != nil) {
            case .over(let phase):
                guard joined == nil, let phase else { return .loadIsOver }
                return .nothingLeft(phase)
            case .open(_, _, let id) where joined != nil && joined != id: return .loadIsOver
            case .open(let load, let lease, let id):
                joined = id
                switch try await work(load, lease) {
                case .loadIsOver: return .loadIsOver
                case .lacksSnapshot where lacks >= 5: throw LoadWorker.noSnapshot
                // Between the end of a load and its note in the journal a snapshot may be gone.
                case .lacksSnapshot: lacks += 1
                case .lost: lacks = 0
                }
                (end, told, pause) = (.now + max(wait, Self.patience), "", .milliseconds(100))
            case .preparing:
                say("waiting for the load to begin", &told)
                end = .now + max(wait, joined == nil ? .zero : Self.patience)
            case .missing(let error):
                guard ContinuousClock.now < end else { throw error }
                // Somebody who reads the log of a pod must see whether it is a wrong certificate that it waits for.
                say("waiting: \(error.isConnectionLoss ? error.line : error.message)", &told)
            }
            try await Task.sleep(for: pause)
            // A pod may wait for hours until a slot can be made.
            pause = min(pause * 2, .seconds(2))
        }
    }

    private func say(_ text: String, _ told: inout String) {
        if told != text { tell(text) }
        told = text
    }

    /// How the work for one run of the one that leads the load ended.
    private enum WorkEnd {
        case loadIsOver
        /// That one has ended, or a connection was lost, or what was in hand was taken away.
        case lost
        case lacksSnapshot
    }

    private func work(_ load: Journal.OpenLoad, _ lease: Lease) async throws -> WorkEnd {
        tell("joining the load")
        let worker = LoadWorker(source: endpoints.source, target: endpoints.target, jobs: jobs, progress: progress)
        do {
            let isOver = try await lease.bind { try await worker.work(for: load, of: lease) }
            if isOver { return .loadIsOver }
            tell("the martlet that runs the move has ended; waiting for it")
            return .lost
        } catch let error as PostgresError where error.isConnectionLoss && !Task.isCancelled {
            tell("\(error.message); joining again")
            return error == LoadWorker.noSnapshot ? .lacksSnapshot : .lost
        } catch let error as PostgresError where !Task.isCancelled {
            // Whoever aborts a move drops its tables, and then its journal.
            guard (try? await hasEnded()) == true else { throw error }
            return .loadIsOver
        }
    }

    private func hasEnded() async throws -> Bool {
        try await withNeutralConnection(to: endpoints.target, application: "martlet work") {
            try !Journal.exists(on: $0)
        }
    }

    // MARK: Looking

    private func look(hasJoined: Bool) async throws -> Standing {
        do {
            return try await withNeutralConnection(to: endpoints.target, application: "martlet work") { journal in
                try await look(at: journal, hasJoined: hasJoined)
            }
        } catch let error as PostgresError where error.isConnectionLoss && !Task.isCancelled {
            return .missing(error)
        }
    }

    private func look(at journal: Connection, hasJoined: Bool) async throws -> Standing {
        guard let migration = try Journal.migration(on: journal), let phase = Phase(rawValue: migration.phase) else {
            // What was joined has been finished or aborted since.
            if hasJoined { return .over(nil) }
            return .missing(
                PostgresError(
                    "there is no move into \(endpoints.target.place)",
                    detail: "Its database has no journal of martlet.",
                    hint: "Start one with martlet migrate, or check --target; --wait 10m waits for one to begin."
                )
            )
        }
        guard phase == .planned || phase == .loading else { return .over(phase) }
        guard let lease = try Lease.held(of: migration.id, on: journal) else {
            return .missing(
                PostgresError(
                    "no martlet runs the move into \(endpoints.target.place) now",
                    detail: "It stopped in phase \"\(phase.title)\"; only while it runs can others help.",
                    hint: "Start it again with the same martlet migrate command; --wait 10m waits for that."
                )
            )
        }
        switch try Journal.joinable(of: lease.run, on: journal) {
        case .notYet: return .preparing
        case .over: return .over(phase)
        case .open(let load):
            try check(load, on: journal)
            try await checkSource(load, of: migration)
            return .open(load, lease, of: migration.id)
        }
    }

    /// The one that leads the load must be able to end our sessions when it does not hear of us any more.
    private func check(_ load: Journal.OpenLoad, on journal: Connection) throws {
        let role = try journal.query("SELECT current_user AS role").first?("role", as: String.self)
        try Self.check(role, is: load.targetRole, on: endpoints.target)
    }

    private func checkSource(_ load: Journal.OpenLoad, of migration: Journal.Migration) async throws {
        try await withNeutralConnection(to: endpoints.source, application: "martlet work") { source in
            let row = try source.query(
                """
                SELECT system_identifier::text = $1 AND current_database() = $2 AS same, pg_is_in_recovery() AS is_standby,
                       current_user AS role
                  FROM pg_control_system()
                """,
                migration.sourceSystem,
                migration.sourceDatabase
            ).first
            guard let row, try row("same") else {
                throw PostgresError(
                    "\(endpoints.source.place) is not the source of this move",
                    detail: "It was begun from \(migration.source).",
                    hint: "Give the same --source as martlet migrate."
                )
            }
            if try row("is_standby") { throw LoadWorker.noSnapshot.onlyFact("That server is a standby.") }
            try Self.check(try row("role"), is: load.sourceRole, on: endpoints.source)
        }
    }

    private static func check(_ role: String?, is leader: String, on place: ConnectionString) throws(PostgresError) {
        let (ours, theirs) = (Identifier(role ?? ""), Identifier(leader))
        guard ours != theirs else { return }
        throw PostgresError(
            "the martlet that runs the move connects to \(place.place) as another role",
            detail: "It is role \(theirs.quoted), and this is role \(ours.quoted).",
            hint:
                "Connect as the same role: only then can it end the sessions of a worker that it does not hear of any more."
        )
    }
}

extension PostgresError {
    /// The same with another detail, and no failure that may pass.
    fileprivate func onlyFact(_ detail: String) -> PostgresError {
        PostgresError(message, detail: detail, hint: hint)
    }
}
