import Catalog
public import Engine
public import Foundation
public import Postgres
public import Sync

/// Moves a database that is in use to another server.
///
/// `run()` goes on from what the journal on the target says, whoever wrote it and however that
/// process ended; so the same command starts a move, resumes it, and survives the restart of either
/// server. See ``Phase`` for the steps.
public struct Migration: Sendable {
    /// How a run ended.
    public enum Outcome: String, Sendable, Hashable, Codable {
        /// `--once`: the copy is complete.
        case copied
        /// Everything that was made for the move is removed; the application is on the new server.
        case finished
        /// Everything that was made for the move is removed; the application is on the old server.
        case aborted
        /// As `aborted`, and the copied tables were left on the target.
        case abortedKeepingCopy
        /// The application is back on the old server.
        case rolledBack
        /// The application is on the new server, without a way back.
        case switched

        /// Whether the journal stays until `finish` or `abort`.
        var keepsJournal: Bool {
            switch self {
            case .copied, .rolledBack, .switched: true
            case .finished, .aborted, .abortedKeepingCopy: false
            }
        }

        /// What the log says.
        var title: String {
            switch self {
            case .copied: "the copy is complete"
            case .finished: "the move is finished"
            case .aborted: "the move is aborted"
            case .abortedKeepingCopy: "the move is aborted, the copy is kept"
            case .rolledBack: "rolled back"
            case .switched: "cut over, without a way back"
            }
        }
    }

    let endpoints: Endpoints
    let options: MigrationOptions
    let directory: URL
    let monitor: Monitor
    let throttle: Throttle
    let stages = Stages()
    private let wait: Duration?

    /// Prepares a move; nothing is connected to yet.
    ///
    /// `limits` are of this run: what the journal says does not count, and they are not kept. `wait`: how long to wait for a
    /// server that cannot be reached, from the beginning on; nil is ten minutes, and only once the move has begun.
    public init(
        endpoints: Endpoints,
        options: MigrationOptions,
        limits: Limits = Limits(),
        wait: Duration? = nil,
        directory: URL,
        monitor: Monitor
    ) {
        self.endpoints = endpoints
        self.options = options
        self.wait = wait
        self.directory = directory
        self.monitor = monitor
        throttle = Throttle(limits) { monitor.event($0) }
        monitor.watch(throttle)
        monitor.watch(stages)
    }

    /// Moves, until the move ends or the task is cancelled.
    ///
    /// A connection that breaks is waited for, up to ten minutes or as long as was asked for; then the error is thrown and the
    /// same call resumes. How it ended is written to the log and, when the target can be reached, to the journal.
    public func run() async throws -> Outcome {
        do {
            let outcome = try await runThroughBreaks()
            monitor.end("ended: \(outcome.title)")
            if outcome.keepsJournal { await keepEnd() }
            return outcome
        } catch {
            monitor.end(Task.isCancelled ? "stopped: asked to by ^C or a signal" : RunEnd.text(of: error))
            await keepEnd()
            throw error
        }
    }

    /// Whether to go on after a failure: when a server was lost, and, whatever has failed, while writers may be locked out.
    private func isWorthAnotherTry(_ error: PostgresError) -> Bool {
        guard monitor.hasRun || wait != nil, !Task.isCancelled, error.sqlState != Lease.refusedState else {
            return false
        }
        return error.isConnectionLoss || monitor.isSwitching
    }

    /// How long a server may be gone.
    private var patience: Duration {
        let asked = wait ?? .zero
        return monitor.hasRun ? max(asked, .seconds(600)) : asked
    }

    private func keepEnd() async {
        // What cannot be written there is in the log, and the error that ended the run is what people must see.
        try? await withoutCancellation { try await RunEnd.keep(of: self) }
    }

    private func runThroughBreaks() async throws -> Outcome {
        var brokenSince: ContinuousClock.Instant?
        while true {
            let started = ContinuousClock.now
            do {
                return try await attempt()
            } catch let error as PostgresError where isWorthAnotherTry(error) {
                // A run that lasted was a success; its end begins a new count.
                let now = ContinuousClock.now
                if started.duration(to: now) > .seconds(30) || brokenSince == nil { brokenSince = now }
                guard let since = brokenSince, since.duration(to: now) < patience else { throw error }
                monitor.lost("\(error.message); trying again")
                // The target may be the server that is gone.
                try? await RunEnd.keep(of: self)
                try await Task.sleep(for: .milliseconds(monitor.isSwitching ? 500 : 2000))
            }
        }
    }

    /// The tables that the move in the target's journal was told to move, without their partitions; nil when it was told nothing.
    ///
    /// Reads the journal and the source's catalog, and locks nothing.
    ///
    /// - Returns: with them, which of them are not the same on the target.
    public static func chosenTables(
        of endpoints: Endpoints
    ) async throws -> (tables: [QualifiedName], maps: TableMaps)? {
        let migration = try await withNeutralConnection(to: endpoints.target) { try Journal.migration(on: $0) }
        guard let migration else { return nil }
        let options = try JSONDecoder().decode(MigrationOptions.self, from: migration.plan)
        guard !(options.include.isEmpty && options.exclude.isEmpty && options.mapping == nil) else { return nil }
        let (tables, maps) = try await chosenTables(of: endpoints.source, options: options)
        return (tables, migration.hasConstraints ? maps : maps.unrenamed)
    }

    /// The tables that a move with these options would move, without their partitions.
    public static func chosenTables(
        of source: ConnectionString,
        options: MigrationOptions
    ) async throws -> (tables: [QualifiedName], maps: TableMaps) {
        let selection = try await withNeutralConnection(to: source) { try Selection.ofSource($0, options: options) }
        return (selection.tables.filter { !$0.isPartition }.map(\.name), selection.maps)
    }

    private func attempt() async throws -> Outcome {
        let work = try WorkDirectory(at: directory)
        // A run that was refused has written nothing there.
        defer { work.removeIfEmpty() }
        return try await withNeutralConnection(to: endpoints.target, application: "martlet journal") { journal in
            try journal.keepEventTriggersQuiet()
            return try await withNeutralConnection(to: endpoints.source, application: "martlet lease") { source in
                let known = try Journal.migration(on: journal)
                try refuseIfEnded(known)
                try ThrottleWatch.check(throttle.limits, source: source, target: journal)
                throttle.forget()
                let migration = if let known { known } else { try await plan(on: journal, from: source) }
                let lease = try await Lease.take(of: migration.id, on: journal)
                try Self.check(migration, on: source)
                try await lease.extend(to: source)
                try Journal.dropRequests(on: journal)
                let run = try makeRun(migration, lease, from: source, to: journal)
                return try await lease.bind { try await conduct(run) }
            }
        }
    }

    /// Goes through the phases, and tells about them meanwhile.
    private func conduct(_ run: Run) async throws -> Outcome {
        try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                try await Reporter(run: run).report()
                return nil
            }
            group.addTask {
                try await ThrottleWatch(throttle, source: endpoints.source, target: endpoints.target).run()
                return nil
            }
            group.addTask { try await Conductor(run: run).conduct() }
            defer { group.cancelAll() }
            while let finished = try await group.next() {
                if let outcome = finished { return outcome }
            }
            throw CancellationError()
        }
    }

    /// Refuses to begin anew when the move that was run here was finished or aborted while a server could not be reached.
    private func refuseIfEnded(_ known: Journal.Migration?) throws {
        let id = monitor.report.id
        guard monitor.hasRun, known?.id != id else { return }
        monitor.isSwitching = false
        throw PostgresError(
            "the move was ended while martlet could not reach a server",
            detail: "Its journal is no longer on the target: martlet finish or martlet abort has removed it.",
            hint: "Nothing is left to do. To begin a new move, run martlet migrate again."
        )
    }

    /// Begins a move: writes down what is to be done.
    private func plan(on journal: Connection, from source: Connection) async throws -> Journal.Migration {
        let facts = try source.query(
            "SELECT system_identifier::text AS system, current_database() AS database FROM pg_control_system()"
        ).first
        guard let facts else { throw PostgresError("the source does not tell its system identifier") }
        var options = options
        // A copy that follows nothing writes to tables before they have triggers.
        if !options.isOnce { options.sessionRoles = try SessionRoles.allowed(source: source, target: journal) }
        if let mapping = options.mapping { options.usedRules = try MappedDatabase(mapping, Schema(source)).used }
        let migration = Journal.Migration(
            id: Names.newID(),
            phase: Phase.planned.rawValue,
            source: endpoints.source.place,
            sourceSystem: try facts("system"),
            sourceDatabase: try facts("database"),
            plan: try JSONEncoder().encode(options)
        )
        try await Journal.create(migration, on: journal)
        if let reason = options.jobsReason {
            monitor.event("\(Finding.count(options.jobs, "table")) at a time will be copied, as \(reason)")
        }
        return migration
    }

    /// Refuses a source that is another one than a move began with.
    public static func check(_ migration: Journal.Migration, on source: Connection) throws {
        let row = try source.query(
            "SELECT system_identifier::text = $1 AND current_database() = $2 AS same FROM pg_control_system()",
            migration.sourceSystem,
            migration.sourceDatabase
        ).first
        guard try row?("same", as: Bool.self) == true else {
            throw PostgresError(
                "the target holds an unfinished move from another source",
                detail: "It was begun from \(migration.source).",
                hint: "Give that source to go on with the move, or to end it with martlet abort."
            )
        }
    }

    /// Refuses to drop a copy on which an application works since a cutover that the journal has forgotten.
    public static func checkCopy(_ migration: Journal.Migration, on source: Connection) throws {
        guard Phase(rawValue: migration.phase) != .rolledBack else { return }
        try OpenedServer.target.refuseIfNoted(of: migration.id, on: source)
    }

    /// What is decided lies in the journal; the command line counts only when a move begins.
    private func makeRun(
        _ migration: Journal.Migration,
        _ lease: Lease,
        from source: Connection,
        to target: Connection
    ) throws -> Run {
        let decided = try JSONDecoder().decode(MigrationOptions.self, from: migration.plan)
        guard options.mapping == nil || options.mapping == decided.mapping else {
            throw PostgresError(
                "the move was begun with another mapping",
                detail: "What was decided at its beginning stays; the file says something else.",
                hint: "Leave --mapping out to go on, or begin anew: martlet abort, then martlet migrate."
            )
        }
        return Run(
            endpoints: endpoints,
            lease: lease,
            options: decided,
            names: Names(id: migration.id),
            monitor: monitor,
            throttle: throttle,
            stages: stages,
            directory: directory,
            encoding: try Self.encoding(from: source),
            reverseEncoding: try Self.encoding(from: target),
            sourceMajor: source.majorVersion
        )
    }

    /// What both sides speak when rows come from this database.
    ///
    /// We write names in UTF-8. Bytes without an encoding pass as they are, and the side that writes them judges them.
    private static func encoding(from connection: Connection) throws(PostgresError) -> String {
        let encoding = try connection.query("SHOW server_encoding").first?("server_encoding", as: String.self)
        return encoding == "SQL_ASCII" ? "SQL_ASCII" : "UTF8"
    }
}

/// Writes once a second how far the move is, shows that we live, and measures the stream.
struct Reporter {
    let run: Run

    func report() async throws {
        try await withNeutralConnection(to: run.endpoints.target, application: "martlet status") { target in
            try target.execute("SET synchronous_commit = off")
            try await withNeutralConnection(to: run.endpoints.source, application: "martlet heartbeat") { source in
                var round = 0
                var forward = SlotWatch(slot: run.names.slot)
                var reverse = SlotWatch(slot: run.names.reverseSlot)
                while true {
                    guard try writeUnlessOver(to: target) else { return }
                    if round % 2 == 0 { try beat(source: source, target: target) }
                    switch run.monitor.report.phase {
                    case .loading, .following: try forward.look(on: source, run.monitor)
                    case .reversing: try reverse.look(on: target, run.monitor)
                    default: run.monitor.warning(nil)
                    }
                    if round % 2 == 1 { try tellWaits(source: source, target: target) }
                    try tellHeldBack(source)
                    run.monitor.writeTables()
                    round += 1
                    try await Task.sleep(for: .seconds(1))
                }
            }
        }
    }

    /// Writes; false when the journal is gone, as it is at the end of a move.
    private func writeUnlessOver(to target: Connection) throws -> Bool {
        do {
            try write(to: target)
            return true
        } catch let error as PostgresError where ["42P01", "3F000"].contains(error.sqlState) {
            return false
        } catch let error as PostgresError where error.isTransient {
            // The journal is just being dropped, which locks its tables one after the other.
            return true
        }
    }

    private func write(to target: Connection) throws {
        try run.monitor.write(to: target)
        try run.lease.beat(on: target)
    }

    /// Says who keeps the stream from writing; it goes on by itself when the lock is free.
    private func tellWaits(source: Connection, target: Connection) throws {
        let phase = run.monitor.report.phase
        guard phase == .following || phase == .reversing else { return }
        let writer = phase == .following ? target : source
        let who = try writer.query(MoveSQL.laneWaits).map { row throws(PostgresError) in try row("who", as: String.self)
        }
        run.monitor.waiting(forLocks: who.isEmpty ? nil : who.joined(separator: "; "))
    }

    /// Says what a copy that is held keeps the source from: VACUUM removes nothing that its snapshot still sees.
    private func tellHeldBack(_ source: Connection) throws {
        guard run.throttle.report.hold != nil, run.monitor.isUnderSnapshot else {
            return run.monitor.note(heldBack: nil)
        }
        let row = try source.query(
            """
            SELECT max(age(backend_xmin)) AS transactions, extract(epoch FROM clock_timestamp() - min(xact_start))::float8 AS seconds
              FROM pg_stat_activity WHERE application_name = 'martlet snapshot' AND datname = current_database()
            """
        ).first
        guard let row, let seconds: Double = try row.optional("seconds") else { return run.monitor.note(heldBack: nil) }
        let transactions: Int = try row.optional("transactions") ?? 0
        run.monitor.note(heldBack: StatusReport.HeldBack(seconds: seconds, transactions: transactions))
    }

    /// The message goes into the log of the server that the application writes to.
    private func beat(source: Connection, target: Connection) throws {
        let phase = run.monitor.report.phase
        guard phase == .following || phase == .reversing else { return }
        let writtenTo = phase == .following ? source : target
        try Follower.beat(writtenTo)
        let row = try writtenTo.query(
            "SELECT pg_current_wal_insert_lsn() AS lsn, extract(epoch FROM clock_timestamp())::float8 AS clock"
        ).first
        if let row { run.monitor.note(sourcePosition: try row("lsn"), clock: try row("clock")) }
    }
}
