import Catalog
import Engine
import Foundation
import Postgres
import Sync

extension Crossing {
    /// Compares everything at one position while both servers work, and keeps the verdict.
    ///
    /// `waiting` is told about every five seconds whom it waits for, and throws to give up.
    func verify(
        _ follower: Follower,
        _ ask: Ask.Verify,
        _ journal: Connection,
        waiting: (@Sendable ([Blocker]) async throws -> Void)? = nil
    ) async throws -> Verdict {
        let waiting = waiting ?? run.tellBlockers
        run.monitor.activity("comparing both databases")
        let followed = try await refreshed().followed
        var verdict = try await follower.atBarrier(
            plan,
            temporarySlot: run.names.temporarySlot,
            waiting: waiting
        ) { left, entered, _ in
            try await withView(of: left) { try files.note($0) }
            return try await compare(followed.map { oldName($0.name) }, left, entered, ask)
        }
        for _ in 0..<10 where !verdict.equal {
            let emptied = Set(try await tablesEmptied(follower).map { oldName(entered: $0) })
            let again = emptied.intersection(verdict.differing.map(\.qualifiedName))
            guard !again.isEmpty else { break }
            run.monitor.event(
                "comparing again what was truncated or rewritten meanwhile: \(again.map(\.description).sorted())"
            )
            let second = try await follower.atBarrier(
                plan,
                temporarySlot: run.names.temporarySlot,
                waiting: waiting,
                keepsKeys: true
            ) { left, entered, _ in
                try await compare(Array(again), left, entered, Ask.Verify(isStrict: ask.isStrict))
            }
            verdict.replace(second.tables)
        }
        verdict.notCompared = try await notFollowed()
        // What differs already must not be taken for equal by a cutover that compares only what changed since.
        if !verdict.equal { follower.stopListening() }
        try note(verdict, on: journal)
        return verdict
    }

    /// What a table of the server that is left is called on the old server, by whose names a verdict goes.
    private func oldName(_ name: QualifiedName) -> QualifiedName {
        direction == .forward ? name : selection.maps.target(of: name)
    }

    /// What a table of the old server is called on the server that is left.
    func leftName(_ old: QualifiedName) -> QualifiedName {
        direction == .forward ? old : selection.maps.source(of: old)
    }

    /// The same of a table of the server that is entered.
    private func oldName(entered name: QualifiedName) -> QualifiedName {
        direction == .forward ? selection.maps.source(of: name) : name
    }

    /// What the log does not tell changes of.
    private func notFollowed() async throws -> [String] {
        let objects = try await withNeutralConnection(to: run.endpoints[direction.left]) { server in
            try server.query("SELECT count(*) AS count FROM pg_largeobject_metadata").first?("count", as: Int.self) ?? 0
        }
        return unlogged.map { "unlogged table \"\($0)\", copied once" }
            + (objects > 0
                ? ["\(Finding.count(objects, "large object")), compared and copied again at the cutover"] : [])
    }

    /// Compares, at one position, the rows that changed since the last comparison.
    ///
    /// A table that was rewritten or given a column, or a partition of which was truncated or dropped, counts as changed in whole.
    func verifyChanged(_ follower: Follower) async throws {
        _ = try await follower.atBarrier(
            plan,
            temporarySlot: run.names.temporarySlot,
            waiting: tellBlockersForAMinute
        ) { left, entered, changed in
            var changed = changed
            let rewritten = try await withView(of: left) { try files.takeChangedTables(on: $0) }
            for name in names(ofTables: rewritten) { changed[name] = .everything }
            let verdict = try await compareKeys(changed, left: left, entered: entered)
            guard !verdict.equal else { return }
            // What was emptied meanwhile is noted as changed, and compared again in the next round.
            let emptied = Set(try await tablesEmptied(follower).map { selection.maps.source(of: $0) })
            guard emptied.isSuperset(of: verdict.differing.map(\.qualifiedName)) else {
                throw Self.differences(verdict)
            }
        }
    }

    /// Asks the server that is left what it was like at the position of a comparison, so that a TRUNCATE is either in the
    /// stream before that position or in a file that changes after it.
    private func withView<Result>(
        of snapshot: Snapshot,
        _ body: (Connection) throws -> Result
    ) async throws -> Result {
        try await withNeutralConnection(to: left) { server in
            try server.begin(sharing: snapshot)
            return try body(server)
        }
    }

    /// The tables that an older snapshot may see empty, since they were truncated or rewritten after the last comparison
    /// began, by the names of the server that is entered.
    private func tablesEmptied(_ follower: Follower) async throws -> Set<QualifiedName> {
        let truncated = Set(try await follower.tablesTruncated(plan))
        let rewritten = try await withNeutralConnection(to: left) { try files.changedTables(on: $0) }
        return truncated.union(names(ofTables: rewritten))
    }

    /// Compares what the application works with, under a snapshot of each server, with the user's own checks.
    private func compare(
        _ tables: [QualifiedName],
        _ left: Snapshot,
        _ entered: Snapshot,
        _ ask: Ask.Verify
    ) async throws -> Verdict {
        let leftSide = Comparison.Side(run.endpoints[direction.left], snapshot: left.id)
        let enteredSide = Comparison.Side(run.endpoints[direction.entered], snapshot: entered.id)
        // People think of the old server as the source, whichever way changes flow.
        var comparison =
            direction == .forward
            ? Comparison(source: leftSide, target: enteredSide) : Comparison(source: enteredSide, target: leftSide)
        comparison.tables = tables
        comparison.maps = direction == .forward ? selection.maps : selection.maps.reversed
        comparison.workers = run.options.jobs
        comparison.isStrict = ask.isStrict
        comparison.lsn = left.position
        comparison.throttle = run.throttle
        comparison.checks = try ask.checks.map { text throws(PostgresError) in try CheckFile(parsing: text) }
        return try await comparison.run()
    }

    /// Compares only the rows with these keys, when nobody writes, and returns how many they are.
    func compareAtRest(
        _ changed: [QualifiedName: ChangedKeys.Change],
        catalogs: Comparison.Catalogs
    ) async throws -> Int {
        guard !changed.isEmpty else { return 0 }
        let verdict = try await compareKeys(changed, catalogs: catalogs)
        guard verdict.equal else { throw Self.differences(verdict) }
        return verdict.tables.map(\.sourceRows).reduce(0, +)
    }

    private func compareKeys(
        _ changed: [QualifiedName: ChangedKeys.Change],
        left: Snapshot? = nil,
        entered: Snapshot? = nil,
        catalogs: Comparison.Catalogs? = nil
    ) async throws -> Verdict {
        var comparison = Comparison(
            source: .init(run.endpoints[direction.left], snapshot: left?.id),
            target: .init(run.endpoints[direction.entered], snapshot: entered?.id)
        )
        comparison.workers = run.options.jobs
        // Nothing holds what writers wait for.
        if left != nil { comparison.throttle = run.throttle }
        comparison.catalogs = catalogs
        comparison.maps = selection.maps
        return try await comparison.compareKeys(changed, isBinary: plan.isBinary)
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
