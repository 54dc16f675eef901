import Engine
import Foundation
import Postgres
import Sync

extension Crossing {
    /// Compares everything at one position while both servers work, and keeps the verdict.
    func verify(_ follower: Follower, _ ask: Ask.Verify, _ journal: Connection) async throws -> Verdict {
        run.monitor.activity("comparing both databases")
        let verdict = try await follower.atBarrier(
            plan,
            temporarySlot: run.names.temporarySlot,
            waiting: run.tellBlockers
        ) { left, entered, _ in
            try await compare(left, entered, ask)
        }
        run.monitor.activity("waiting for changes")
        try note(verdict, on: journal)
        return verdict
    }

    /// Compares, at one position, the rows that changed since the last comparison.
    func verifyChanged(_ follower: Follower) async throws {
        _ = try await follower.atBarrier(
            plan,
            temporarySlot: run.names.temporarySlot,
            waiting: run.tellBlockers
        ) { left, entered, changed in
            try await compareChanged(changed, left: left, entered: entered)
        }
    }

    private func note(_ verdict: Verdict, on journal: Connection) throws {
        let summary = verdict.summary
        run.monitor.event(summary)
        run.monitor.note(StatusReport.Comparison(isEqual: verdict.isEqual, at: Date(), summary: summary))
        try journal.query(
            "INSERT INTO martlet.verdict (lsn, is_equal, report) VALUES ($1::pg_lsn, $2, $3::jsonb)",
            verdict.lsn,
            verdict.isEqual,
            String(decoding: try JSONEncoder().encode(verdict), as: UTF8.self)
        )
    }

    static func differences(_ verdict: Verdict) -> PostgresError {
        PostgresError(
            "the two databases differ",
            detail: verdict.summary,
            hint: "Look at the differences with martlet verify."
        )
    }
}
