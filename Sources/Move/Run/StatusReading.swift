import Engine
public import Foundation
public import Postgres
import Sync

/// A move as it is seen from outside: what the journal says, and who runs it.
public struct StatusReading: Sendable {
    /// Whether somebody is at work.
    public enum Runner: String, Sendable, Hashable, Codable {
        /// A martlet runs the move.
        case running
        /// A martlet has lost a server, and tries to reach it again.
        case waiting
        /// Nobody runs the move.
        case stopped
    }

    /// How far the move is; the phase is the journal's own.
    public var report: StatusReport
    /// Whether somebody is at work.
    public var runner: Runner
    /// The host and the process that run the move, or ran it last; nil when nobody ever did.
    public var who: (host: String, process: Int)?
    /// When a martlet wrote last.
    public var lastHeard: Date?
    /// The error that ended the last run, with its detail and its hint on lines of their own; nil when none did.
    public var error: String?

    /// Reads the journal; nil when there is no move.
    ///
    /// `target` is where the journal is, for people.
    public static func read(_ journal: Connection, target: String) throws -> StatusReading? {
        guard let migration = try Journal.migration(on: journal) else { return nil }
        let row = try journal.query(
            """
            SELECT s.report, extract(epoch FROM greatest(l.beat, s.at))::float8 AS heard,
                   coalesce(now() - s.at < '30 s', false) AS is_fresh,
                   (SELECT e.text FROM martlet.event e
                     WHERE e.text ~ '^(error|stopped|ended): ' AND e.at >= coalesce(l.started, '-infinity')
                     ORDER BY e.id DESC LIMIT 1) AS last_end
              FROM (VALUES (1)) AS one LEFT JOIN martlet.status s ON true LEFT JOIN martlet.lease l ON true
            """
        ).first
        guard let row else { return nil }
        let stored: String? = try row.optional("report")
        let isRunning = try Lease.isTaken(on: journal)
        var report = try stored.map { try decode($0) } ?? StatusReport(migration, target: target)
        let phase = Phase(rawValue: migration.phase) ?? report.phase
        // What was done in another phase is over.
        if report.phase != phase || !isRunning { report.activity = "" }
        report.id = migration.id
        report.phase = phase
        if report.tables.isEmpty { report.tables = StatusReport.tables(of: try Journal.loads(on: journal)) }
        let isFresh: Bool = try row("is_fresh")
        let isRetrying = isFresh && report.isDisconnected == true
        let end: String? = try row.optional("last_end")
        if !isRunning {
            (report.lag, report.workers) = (nil, nil)
            if !isRetrying { report.waiting = nil }
            report.heldBack = nil
            // A pause outlives who obeyed it.
            report.hold = (phase.canPause ? migration.paused : nil).map {
                Throttle.Hold(reason: .paused, text: "paused by martlet pause", since: $0)
            }
        }
        return StatusReading(
            report: report,
            runner: isRunning ? .running : isRetrying ? .waiting : .stopped,
            who: try Lease.holder(on: journal).map { ($0.host, $0.pid) },
            lastHeard: try row.optional("heard", as: Double.self).map { Date(timeIntervalSince1970: $0) },
            error: isRunning ? nil : end.flatMap(Self.error)
        )
    }

    private static func error(in event: String) -> String? {
        event.hasPrefix(RunEnd.errorMark) ? String(event.dropFirst(RunEnd.errorMark.count)) : nil
    }

    private static func decode(_ json: String) throws -> StatusReport {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(StatusReport.self, from: Data(json.utf8))
    }
}

extension StatusReport {
    /// What is known of a move that nobody has reported about yet.
    init(_ migration: Journal.Migration, target: String) {
        let now = Date()
        self.init(
            id: migration.id,
            phase: Phase(rawValue: migration.phase) ?? .planned,
            activity: "",
            source: migration.source,
            target: target,
            started: now,
            at: now,
            tables: []
        )
    }

    /// The tables as the journal knows them, the biggest first.
    static func tables(of loads: [Journal.TableLoad]) -> [Table] {
        // The root of partitions has no rows of its own.
        let roots = Set(loads.filter { $0.unit != $0.sourceOID }.map(\.unit))
        return tables(LoadProgress(loads.filter { !roots.contains($0.sourceOID) }))
    }

    /// The tables of a load, the biggest first.
    static func tables(_ load: LoadProgress) -> [Table] {
        load.current.map { Table(schema: $0.key.schema, name: $0.key.name, load: $0.value) }
            .sorted { ($0.load.totalBytes, $1.qualifiedName) > ($1.load.totalBytes, $0.qualifiedName) }
    }
}
