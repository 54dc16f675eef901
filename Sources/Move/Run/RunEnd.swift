import Engine
import Foundation
import Postgres

/// What outlives a run that does not hold the lease any more: why it ended, or which server it waits for.
///
/// Only the journal of a move that nobody else runs is written to: a martlet that was refused because another one runs
/// the move has nothing to say there.
enum RunEnd {
    /// Begins the event that tells of an error which ended a run; see ``StatusReading/error``.
    static let errorMark = "error: "

    /// The event that tells why a run ended.
    static func text(of error: any Error) -> String {
        errorMark + PostgresError(telling: error).whole
    }

    /// Writes the last report and the events that are not in the journal yet.
    ///
    /// A run that failed before it knew the move leaves the report of the one before.
    static func keep(of migration: Migration) async throws {
        let monitor = migration.monitor
        try await withNeutralConnection(to: migration.endpoints.target, application: "martlet journal") { journal in
            guard try Journal.exists(on: journal) else { return }
            // The server may need a moment to notice that our own session is gone, and its lease with it.
            for _ in 0..<10 where try Lease.isTaken(on: journal) { try await Task.sleep(for: .milliseconds(100)) }
            guard try !Lease.isTaken(on: journal) else { return }
            guard !monitor.hasRun else { return try monitor.write(to: journal) }
            for event in monitor.takeEvents() { try Journal.note(event, on: journal) }
        }
    }
}

extension Monitor {
    /// Writes the report and what happened since the last time.
    func write(to journal: Connection) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try journal.query(
            """
            INSERT INTO martlet.status (report) VALUES ($1::jsonb)
            ON CONFLICT (only_row) DO UPDATE SET report = excluded.report, at = now()
            """,
            String(decoding: try encoder.encode(report), as: UTF8.self)
        )
        for event in takeEvents() { try Journal.note(event, on: journal) }
    }
}
