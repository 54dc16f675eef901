import Catalog
public import Foundation
public import Postgres

/// A moment at which a table lost what it held.
public struct TableLoss: Sendable, Hashable {
    /// How it went.
    public enum Kind: String, Sendable, Encodable {
        /// `DROP`, of it or of what it was in.
        case dropped
        /// `TRUNCATE`, or a new, empty table in its place.
        case emptied
    }

    /// The table.
    public let name: QualifiedName
    /// How it went.
    public let kind: Kind
    /// Where the record of the commit begins: all before it is what the table was.
    public let place: LSN
    /// The transaction.
    public let transaction: UInt64
    /// When it committed, by the clock of its server.
    public let at: Date
    /// How many rows it had.
    public let rows: Int
    /// The backup from which the moment before can be restored.
    let backup: Backup
}

/// What a search for losses has found, and where it has looked.
public struct LossReport: Sendable {
    /// What was lost, the first loss first.
    public fileprivate(set) var losses: [TableLoss] = []
    /// The end of the oldest backup behind which it has looked.
    public fileprivate(set) var since: Date
    /// When the last transaction ended in the log that is kept; nil when there was none since the backup.
    public fileprivate(set) var until: Date?
    /// What it could not look at, and why.
    public fileprivate(set) var gaps: [String] = []
}

/// Finds when a table was dropped or emptied.
///
/// The log names files, not tables. So a server is restored beside, read-only, to the end of a backup, and asked for the
/// table's files; the first commit behind that which removed one of them is where it is led to next, once before it and once
/// behind it. A rewrite (VACUUM FULL, some ALTER TABLE) gives a table other files and takes nothing from it: then it goes on.
public struct LossSearch: Sendable {
    private let sandboxes: Sandboxes
    private let source: BackupSource
    private let archive: any BackupArchive
    private let database: String
    private let table: String
    private let earliest: Date?

    /// A search in the past of a server whose backups are kept; `table` is written as in SQL.
    ///
    /// Without `earliest` it ends at a table that was the same in two backups; with it, only at a backup that had ended before.
    public init(
        in source: BackupSource,
        database: String,
        table: String,
        lookingBackTo earliest: Date? = nil,
        _ sandboxes: Sandboxes = Sandboxes()
    ) {
        (self.sandboxes, self.source, self.database, self.table) = (sandboxes, source, database, table)
        self.earliest = earliest
        archive = source.archive(sandboxes)
    }

    /// What a table was at a moment.
    private struct Sighting: Equatable {
        let oid: UInt32
        /// It and its partitions.
        let relations: Set<UInt32>
        let name: QualifiedName
        let files: Set<String>
        /// With those of tables that inherit from it.
        let rows: Int
        /// Without them.
        let ownRows: Int

        /// Whether it is the same table, in the same files.
        static func == (left: Sighting, right: Sighting) -> Bool { left.oid == right.oid && left.files == right.files }
    }

    /// Every loss since the newest backup behind which rows were lost, or since the `earliest` moment.
    ///
    /// `progress` gets what it looks at. The server that runs is not touched, but for the end of its present segment.
    ///
    /// - Throws: when no backup and no commit since knows the table, or the log is not whole.
    public func run(progress: @escaping @Sendable (String) -> Void) async throws -> LossReport {
        try await archive.keepingLog {
            let all = try await archive.list()
            guard !all.isEmpty else {
                throw PostgresError("there is no backup of \(archive.title)", hint: "Nothing of its past is kept.")
            }
            progress("the end of the log")
            var report = LossReport(since: all[0].ended)
            do {
                try await archive.archivePresent()
            } catch let error as PostgresError {
                try Task.checkCancellation()
                report.gaps.append("the newest log could not be fetched: \(error.line)")
            }
            return try await search(all, report, progress)
        }
    }

    private func search(
        _ all: [Backup],
        _ report: LossReport,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> LossReport {
        var report = report
        var (newer, isKnown): (Found?, Bool) = (nil, false)
        var failure: PostgresError?
        for backup in all.reversed() {
            // After an upgrade to another major version the places of the log are others.
            if let newer, (backup.system, backup.major) != (newer.backup.system, newer.backup.major) {
                report.gaps.append(
                    "backups before \(RestoreTarget.time(report.since).title) are of another server or version"
                )
                break
            }
            let found: Found
            do {
                found = try await search(from: backup, until: newer?.backup.stop, progress)
            } catch let error as PostgresError where Restore.isAnotherWay(error) {
                // The server was set back behind this one; an earlier one may lie on the way to the present.
                failure = error
                continue
            } catch let error as PostgresError where newer != nil {
                try Task.checkCancellation()
                report.gaps.append("before \(RestoreTarget.time(report.since).title): \(error.line)")
                break
            }
            if newer == nil { report.until = found.lastCommit }
            report.gaps += found.gap.map { [$0] } ?? []
            report.since = backup.ended
            report.losses = found.losses + report.losses
            if let gap = found.gap, report.losses.isEmpty {
                throw PostgresError("could not look at all of the log", detail: gap)
            }
            isKnown = isKnown || found.wasSeen
            let isSame = found.first != nil && found.first == newer?.first
            newer = found
            // What is there now may have been made after an earlier one was lost, and what was lost empty been emptied before.
            let isEnough = report.losses.isEmpty ? isSame : report.losses.contains { $0.rows > 0 }
            if earliest.map({ backup.ended <= $0 }) ?? isEnough { return report }
        }
        if isKnown { return report }
        if let failure, newer == nil { throw failure }
        throw PostgresError(
            "no backup of \(archive.title) knows table \"\(table)\" in database \"\(database)\"",
            detail: (["The oldest one that was looked at ended at \(RestoreTarget.time(report.since).title)."]
                + report.gaps)
                .joined(separator: "\n"),
            hint: "Write the name as in SQL, with its schema; --database names another database."
        )
    }

    /// What there is behind a backup.
    private struct Found {
        let backup: Backup
        /// The table as the backup has it.
        let first: Sighting?
        var losses: [TableLoss] = []
        /// Whether the table was there at any time.
        var wasSeen: Bool
        let lastCommit: Date?
        /// Why it could not be looked at to its end.
        var gap: String?
    }

    /// The losses between a backup and a place, or the end of the log.
    private func search(
        from backup: Backup,
        until: LSN?,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> Found {
        let binaries = try await Installation.server(major: backup.major)
        let restore = Restore(of: source, to: .latest, sandboxes)
        let ended = RestoreTarget.time(backup.ended).title
        progress("the backup of \(ended)")
        return try await restore.withPausedServer(from: backup) { server in
            let log = try await LogCommits(since: backup, until: until, in: server.place, binaries) { place in
                progress("the log since \(ended), at \(place)")
            }
            let first = try await look(server)
            var found = Found(backup: backup, first: first, wasSeen: first != nil, lastCommit: log.lastCommit)
            do {
                try await follow(log, server, &found, progress)
            } catch let error as PostgresError where LogFetcher.madeTablespace(error) {
                found.gap = "\(error.message). \(error.detail ?? "")"
            }
            return found
        }
    }

    /// Leads the server from one removal to the next, and notes which of them took the table.
    private func follow(
        _ log: LogCommits,
        _ server: PausedServer,
        _ found: inout Found,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws {
        var known = found.first
        // A server cannot be led back.
        var reached = found.backup.stop
        for removal in log.removals where removal.place >= found.backup.stop {
            // Of a table that is there only its own files matter; one that is not there may come with any transaction.
            if let known, known.files.isDisjoint(with: removal.files) { continue }
            progress("transaction \(removal.transaction), \(RestoreTarget.time(removal.at).title)")
            var before: Sighting?
            let places = Self.quietPlaces(before: removal, of: known, log)
            for (number, quiet) in places.enumerated() where known != nil || before == nil {
                if quiet > reached {
                    try await server.replay(to: quiet, inclusive: false)
                    reached = quiet
                }
                do {
                    before = try await look(server) ?? before
                } catch let error as PostgresError where number > 0 {
                    try Task.checkCancellation()
                    // Something that reading it needs is locked there already.
                    guard error.sqlState == "55P03" || error.isConnectionLoss else { throw error }
                    break
                }
            }
            guard let before else { continue }
            found.wasSeen = true
            known = before
            guard !before.files.isDisjoint(with: removal.files) else { continue }
            try await server.replay(to: removal.place, inclusive: true)
            reached = removal.place
            let after = try await look(server)
            if let kind = Self.kind(before, after) {
                found.losses.append(
                    TableLoss(
                        name: before.name,
                        kind: kind,
                        place: removal.place,
                        transaction: removal.transaction,
                        at: removal.at,
                        rows: before.rows,
                        backup: found.backup
                    )
                )
            }
            known = after
        }
    }

    /// Where a table can be looked at for the last time before a transaction that may have taken it.
    ///
    /// From its lock on nobody can change the table, nor can anybody read it on a standby. The transaction's first lock comes first, as it
    /// may be one on what belongs to the table. Of a table that is not known yet it may be any of them, before one on a catalog, without
    /// which nobody can connect; each costs a start of the server, so those of one statement count as one.
    private static func quietPlaces(before removal: FileRemoval, of known: Sighting?, _ log: LogCommits) -> [LSN] {
        let locks = removal.transactions.compactMap { log.locks[$0] }
        let all = locks.flatMap(\.values).filter { $0 < removal.place }.sorted()
        func first(_ isMeant: (UInt32) -> Bool) -> LSN? {
            locks.flatMap { $0.filter { isMeant($0.key) }.values }.min()
        }
        var places: [LSN] = []
        if let known {
            places = Set([all.first, first(known.relations.contains)].compactMap(\.self)).sorted()
        } else {
            // What initdb makes has numbers below 16384 (FirstNormalObjectId).
            let catalog = first { $0 < 16_384 }
            for place in all where place <= catalog ?? place && place.bytes(since: places.last ?? .zero) > 65_536 {
                places.append(place)
            }
        }
        return places.isEmpty ? [removal.place] : Array(places.prefix(20))
    }

    private static func kind(_ before: Sighting, _ after: Sighting?) -> TableLoss.Kind? {
        // Another one may have been made in the same transaction.
        guard let after, after.oid == before.oid else { return .dropped }
        return before.ownRows > 0 && after.ownRows == 0 ? .emptied : nil
    }

    /// The table as the server has it now, with its partitions.
    private func look(_ server: PausedServer) async throws -> Sighting? {
        // What a new session reads may be locked.
        let connection = server.connection(to: database).with("connect_timeout", "20")
        do {
            return try await withConnection(to: connection, application: "martlet restore") { session in
                // Another transaction may have locked it, whose end is still to be replayed.
                try session.execute("SET lock_timeout = '10s'; SET statement_timeout = 0")
                guard
                    let oid = try session.query("SELECT to_regclass($1)::oid AS oid", table).first?
                        .optional("oid", as: UInt32.self)
                else { return nil }
                let parts = try session.query(
                    """
                    SELECT relid::oid, pg_relation_filepath(relid) AS file FROM pg_partition_tree($1::oid::regclass)
                    UNION SELECT $1::oid, pg_relation_filepath($1::oid::regclass)
                    """,
                    oid
                )
                guard
                    let row = try session.query(
                        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1",
                        oid
                    ).first
                else { return nil }
                let name = QualifiedName(schema: try row("nspname"), name: try row("relname"))
                let count = try session.query(
                    """
                    SELECT count(*) AS rows, count(*) FILTER (WHERE tableoid IN
                           (SELECT relid FROM pg_partition_tree($1::oid::regclass) UNION SELECT $1::oid)) AS own FROM \(name)
                    """,
                    oid
                ).first
                return Sighting(
                    oid: oid,
                    relations: Set(try parts.map { row throws(PostgresError) in try row("relid", as: UInt32.self) }),
                    name: name,
                    files: Set(
                        try parts.compactMap { row throws(PostgresError) in try row.optional("file", as: String.self) }
                    ),
                    rows: try count?("rows") ?? 0,
                    ownRows: try count?("own") ?? 0
                )
            }
        } catch let error as PostgresError where error.sqlState == "3D000" {
            // The database was not there yet.
            return nil
        }
    }
}
