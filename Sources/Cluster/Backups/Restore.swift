import Catalog
public import Foundation
public import Postgres

/// Makes a sandbox that is what another one was at a moment.
public struct Restore: Sendable {
    /// What came of it.
    public struct Report: Sendable {
        /// The server, which runs.
        public let sandbox: Sandbox
        /// The backup that it was made from.
        public let backup: Backup
        /// What its log says about where recovery has stopped.
        public let proof: String
        /// Why the newest log of the source is not in it; nil when it is.
        public fileprivate(set) var gap: String?
    }

    let sandboxes: Sandboxes
    let archive: any BackupArchive
    private let target: RestoreTarget

    /// A restore to a moment, from backups that a sandbox, which may be gone, or a tool has kept.
    public init(of source: BackupSource, to target: RestoreTarget, _ sandboxes: Sandboxes = Sandboxes()) {
        (self.sandboxes, self.target) = (sandboxes, target)
        archive = source.archive(sandboxes)
    }

    /// Restores it beside the one that runs, which is not touched, but for the end of its present segment.
    ///
    /// It chooses the newest backup that ended before the moment, replays the log up to there, and opens the server for
    /// writing. Nothing is left when it fails or is cancelled.
    ///
    /// - Throws: when the moment lies before the oldest backup, in the future or behind the end of the log, when a segment is
    ///   missing, or what the server says.
    public func run(
        as name: String,
        tcp: ServerConfiguration.TCP? = nil,
        expires: Date? = nil,
        progress: @escaping @Sendable (LSN?) -> Void
    ) async throws -> Report {
        try await archive.keepingLog {
            let able = try await target.backups(among: archive.list())
            return try await run(as: name, from: able, tcp, expires, progress)
        }
    }

    private func run(
        as name: String,
        from able: [Backup],
        _ tcp: ServerConfiguration.TCP?,
        _ expires: Date?,
        _ progress: @escaping @Sendable (LSN?) -> Void
    ) async throws -> Report {
        let gap = try await archivePresent()
        var failure: PostgresError?
        for backup in able {
            do {
                var report = try await restore(backup, as: name, tcp, expires, progress)
                report.gap = gap
                return report
            } catch let error as PostgresError where error.message.hasPrefix(Self.notReached) {
                failure = failure.flatMap { Self.isAnotherWay($0) ? nil : $0 } ?? error
                guard target.mayBeBefore(backup) else { break }
            } catch let error as PostgresError where Self.isAnotherWay(error) && target == .latest {
                // An earlier one may lie on the way to the present; a moment would be another one there.
                failure = error
            }
        }
        throw failure ?? PostgresError("could not restore \(archive.title)")
    }

    private static let notReached = "the log ends before"

    /// Archives what was just committed; a source that is lost may be why all this is done.
    ///
    /// - Returns: why that could not be done.
    private func archivePresent() async throws -> String? {
        do {
            try await archive.archivePresent()
            return nil
        } catch let error as PostgresError {
            return error.line
        }
    }

    private func restore(
        _ backup: Backup,
        as name: String,
        _ tcp: ServerConfiguration.TCP?,
        _ expires: Date?,
        _ progress: @escaping @Sendable (LSN?) -> Void
    ) async throws -> Report {
        let binaries = try await Installation.server(major: backup.major)
        return try await sandboxes.locked(name) {
            let place = try sandboxes.newPlace(name)
            var proof = ""
            let sandbox = try await sandboxes.making(place, origin(backup, expires: expires)) {
                let settings = try await archive.fetch(backup, to: place)
                try await CopyConfiguration.install(in: place, signal: "recovery.signal")
                var record = Sandbox.Record(
                    major: binaries.major,
                    binaries: binaries.directory,
                    port: nil,
                    socket: try place.socketDirectory(),
                    settings: CopyConfiguration.withoutSchedulers(settings),
                    superuser: backup.superuser
                )
                let own = record.settings
                record.settings.merge(recovery(of: place)) { $1 }
                let logStart = place.logSize
                do {
                    try await sandboxes.launch(place, record, within: Sandboxes.replayLimit, keepsRecord: false)
                    try await CloneHygiene(untilOpen(place, record, progress)).run()
                } catch let error as PostgresError {
                    throw explain(error, place, logFrom: logStart)
                }
                proof = Self.proof(in: place.logTail(lines: 400, from: logStart))
                // Without the settings of its recovery, so that no later one is led by them.
                (record.settings, record.port) = (own, try sandboxes.port(tcp))
                try await withoutCancellation { try await sandboxes.halt(place) }
                try await sandboxes.launch(place, record)
                return Sandbox(name: name, in: sandboxes.directory)
            }
            return Report(sandbox: sandbox, backup: backup, proof: proof)
        }
    }

    func origin(_ backup: Backup, expires: Date? = nil) -> Origin {
        Origin(
            kind: .restored,
            source: archive.title,
            sandbox: archive.sandbox,
            provider: "\(archive.provider) \(backup.name)",
            slot: nil,
            expires: expires,
            connection: [:]
        )
    }

    /// Where recovery finds the log, and where it stops.
    func recovery(of place: ServerDirectory) -> [String: String] {
        target.settings.merging([
            "restore_command": LogFetcher(place: place).restoreCommand(until: target.place),
            "recovery_target_action": "promote",
            "hot_standby": "on",
            "max_logical_replication_workers": "0",
        ]) { $1 }
    }

    /// Waits until it may be written, and tells where it is.
    private func untilOpen(
        _ place: ServerDirectory,
        _ record: Sandbox.Record,
        _ progress: @escaping @Sendable (LSN?) -> Void
    ) async throws -> ConnectionString {
        let connection = place.connection(to: "template1", as: record.superuser, socket: record.socket, port: nil)
        while true {
            let row = try await withNeutralConnection(to: connection, application: "martlet restore") { session in
                let row = try session.query(
                    """
                    SELECT NOT pg_is_in_recovery() AS open, pg_last_wal_replay_lsn() AS place,
                           CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END AS paused
                    """
                ).first
                return (
                    isOpen: try row?("open", as: Bool.self) == true, place: try row?.optional("place", as: LSN.self),
                    isPaused: try row?("paused", as: Bool.self) == true
                )
            }
            progress(row.place)
            if row.isOpen { return connection }
            // We never pause it here: it does so itself when it has too few places for what its source had.
            guard !row.isPaused else { throw Self.tooFewPlaces(archive.title) }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    static func tooFewPlaces(_ source: String) -> PostgresError {
        PostgresError(
            "could not replay the log of \(source)",
            detail:
                "Since the backup it was given more connections, workers, prepared transactions or locks than the backup knows of.",
            hint: "Take a new backup; moments before that change can be restored."
        )
    }

    // MARK: What the log says

    /// The lines of a log about the end of its recovery (`recoveryStopsBefore`, `recoveryStopsAfter` in xlogrecovery.c).
    static func proof(in log: String) -> String {
        log.split(separator: "\n").compactMap { line in
            line.firstMatch(of: /LOG:  (recovery stopping .*|last completed transaction was .*)/).map { String($0.1) }
        }.joined(separator: "; ")
    }

    private func explain(_ error: PostgresError, _ place: ServerDirectory, logFrom logStart: Int) -> PostgresError {
        let log = place.logTail(lines: 400, from: logStart)
        if let known = Self.known(in: log) { return known }
        if log.contains("recovery ended before configured recovery target was reached") {
            let last = log.firstMatch(of: /last completed transaction was at log time (.*)/).map { String($0.1) }
            return PostgresError(
                "\(Self.notReached) \(target.title)",
                detail: last.map { "The last transaction in it was committed at \($0)." },
                hint: "Without a target all of it is restored; a segment that is missing in the archive ends it, too."
            )
        }
        return error
    }

    /// Why no recovery from this backup can go on; nil for all else.
    static func known(in log: String) -> PostgresError? {
        let other = log.firstMatch(of: /requested timeline (\d+) is not a child of this server's history/)
        return LogFetcher.tablespace(in: log) ?? other.flatMap { Int($0.1) }.map(anotherWay)
    }

    private static let hasGoneAnotherWay = "the log has gone another way since this backup"

    static func isAnotherWay(_ error: PostgresError) -> Bool { error.message == hasGoneAnotherWay }

    static func anotherWay(timeline: Int) -> PostgresError {
        PostgresError(
            hasGoneAnotherWay,
            detail: "Timeline \(timeline) does not come from that of the backup.",
            hint: "Choose a moment before it was restored or promoted, or take a new backup."
        )
    }
}
