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

    /// Writes the events that are not in the journal yet.
    static func keepEvents(of migration: Migration) async throws {
        try await withFreeJournal(of: migration) { journal in
            for event in migration.monitor.takeEvents() { try Journal.note(event, on: journal) }
        }
    }

    /// Writes the report, for those who want to know what a run waits for.
    static func keepReport(of migration: Migration) async throws {
        try await withFreeJournal(of: migration) { try migration.monitor.write(to: $0) }
    }

    private static func withFreeJournal(
        of migration: Migration,
        _ body: (Connection) async throws -> Void
    ) async throws {
        try await withNeutralConnection(to: migration.endpoints.target, application: "martlet journal") { journal in
            guard try Journal.exists(on: journal) else { return }
            // The server may need a moment to notice that our own session is gone, and its lease with it.
            for _ in 0..<10 where try Lease.isTaken(on: journal) { try await Task.sleep(for: .milliseconds(100)) }
            guard try !Lease.isTaken(on: journal) else { return }
            try await body(journal)
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
