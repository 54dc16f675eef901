import Catalog
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

    /// Compares what the application works with, under a snapshot of each server, with the user's own checks.
    private func compare(_ left: Snapshot, _ entered: Snapshot, _ ask: Ask.Verify) async throws -> Verdict {
        let leftSide = Comparison.Side(run.endpoints[direction.left], snapshot: left.id)
        let enteredSide = Comparison.Side(run.endpoints[direction.entered], snapshot: entered.id)
        // People think of the old server as the source, whichever way changes flow.
        var comparison =
            direction == .forward
            ? Comparison(source: leftSide, target: enteredSide) : Comparison(source: enteredSide, target: leftSide)
        comparison.tables = selection.published.map(\.name)
        comparison.workers = run.options.jobs
        comparison.isStrict = ask.isStrict
        comparison.lsn = left.position
        comparison.checks = try ask.checks.map { text throws(PostgresError) in try CheckFile(parsing: text) }
        return try await comparison.run()
    }

    /// Compares only the rows with these keys; under snapshots, or as they are when nobody writes.
    ///
    /// - Returns: how many rows were compared.
    /// - Throws: an error that lists the differences when there are any.
    @discardableResult
    func compareChanged(
        _ changed: [QualifiedName: ChangedKeys.Change],
        left: Snapshot?,
        entered: Snapshot?,
        catalogs: Comparison.Catalogs? = nil
    ) async throws -> Int {
        guard !changed.isEmpty else { return 0 }
        var comparison = Comparison(
            source: .init(run.endpoints[direction.left], snapshot: left?.id),
            target: .init(run.endpoints[direction.entered], snapshot: entered?.id)
        )
        comparison.workers = run.options.jobs
        comparison.catalogs = catalogs
        let verdict = try await comparison.compareKeys(changed, isBinary: plan.isBinary)
        guard verdict.equal else { throw Self.differences(verdict) }
        return verdict.tables.map(\.sourceRows).reduce(0, +)
    }

    private func note(_ verdict: Verdict, on journal: Connection) throws {
        let summary = verdict.lines.last ?? ""
        run.monitor.event(summary)
        run.monitor.note(StatusReport.Comparison(isEqual: verdict.equal, at: Date(), summary: summary))
        try journal.query(
            "INSERT INTO martlet.verdict (lsn, is_equal, report) VALUES ($1::pg_lsn, $2, $3::jsonb)",
            verdict.lsn,
            verdict.equal,
            String(decoding: try JSONEncoder().encode(verdict), as: UTF8.self)
        )
    }

    static func differences(_ verdict: Verdict) -> PostgresError {
        PostgresError(
            "the two databases differ",
            detail: verdict.lines.joined(separator: "\n"),
            hint: "Something other than martlet wrote to the server that is moved to. Find it before you try again."
        )
    }
}
