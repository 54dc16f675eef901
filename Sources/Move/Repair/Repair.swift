import Catalog
import Engine
import Foundation
import Postgres
import Sync

/// Brings tables back into line while a move goes on, without starting it over.
///
/// - Single rows: at a barrier both servers show the same logical position and the lanes stand still. The rows that
///   differ are deleted and copied there, in one transaction.
/// - Whole tables: the table stands still while all others go on; a snapshot of the server that is followed is copied
///   in one transaction with the table's new position, from which its changes are then applied.
///
/// A crash leaves the rows as they were, or brought into line: nothing between.
struct Repair: Sendable {
    let crossing: Crossing
    let follower: Follower

    private var run: Run { crossing.run }
    private var followed: ConnectionString { run.endpoints[crossing.direction.left] }
    private var written: ConnectionString { run.endpoints[crossing.direction.entered] }

    // MARK: What a comparison found

    /// Compares, brings what differs into line, and compares that again.
    func verifyAndRepair(_ ask: Ask.Verify, _ journal: Connection) async throws -> Verdict {
        let first = try await crossing.verify(follower, ask, journal)
        guard !first.differing.isEmpty else { return first }
        let standing = Set(follower.standing.map(\.table))
        // A column or a table that only one side has is no row's fault.
        let mendable = first.differing.filter(\.problems.isEmpty)
        let byRow = mendable.filter { verdict in
            // The keys of a table that is another on the other server are told by that one's names and values.
            let name = crossing.leftName(verdict.qualifiedName)
            return !standing.contains(name) && verdict.listsAllKeys && crossing.selection.maps[name] == nil
        }
        let whole = mendable.filter { verdict in !byRow.contains { $0.qualifiedName == verdict.qualifiedName } }
        if !byRow.isEmpty { try await repairRows(byRow) }
        if !whole.isEmpty { try await resync(named: Set(whole.map { crossing.leftName($0.qualifiedName) })) }
        let rows = byRow.reduce(0) { $0 + $1.differences.count }
        let repaired = [
            byRow.isEmpty ? nil : "\(Quantity.of(rows, "row")) of \(Quantity.of(byRow.count, "table"))",
            whole.isEmpty ? nil : Quantity.of(whole.count, "whole table"),
        ].compactMap(\.self).joined(separator: ", and ")
        run.monitor.event("brought into line: \(repaired)")
        var verdict = try await crossing.verify(follower, ask, journal)
        verdict.repaired = repaired
        return verdict
    }

    private func repairRows(_ verdicts: [TableVerdict]) async throws {
        run.monitor.activity("bringing rows into line")
        _ = try await follower.atBarrier(
            crossing.plan,
            temporarySlot: run.names.temporarySlot,
            waiting: run.tellBlockers,
            holdsLanes: true
        ) { snapshot, _, _ in
            try await withBothSides(snapshot) { from, to in
                try await to.transaction {
                    for verdict in verdicts { try copyRows(verdict, from, to) }
                }
            }
        }
        // What was changed here is in nobody's list of changed keys.
        follower.stopListening()
    }

    private func copyRows(_ verdict: TableVerdict, _ from: Connection, _ to: Connection) throws {
        // With the columns that it has now.
        guard let table = try Schema(from).table(named: verdict.qualifiedName) else { return }
        _ = try Recopy(from: from, to: to, throttle: run.throttle).rows(
            of: table,
            keys: verdict.differences.keys.map(\.key)
        )
    }

    // MARK: Whole tables

    /// The tables that a lane applies changes of.
    private var moved: [Table] { crossing.selection.published.filter { crossing.plan.tables[$0.oid] != nil } }

    /// Copies tables again that the operator names.
    func resync(_ ask: Ask.Resync) async throws -> Ask.Resynced {
        let filter = try TableFilter(including: ask.tables, excluding: [])
        let chosen = moved.map(\.name).filter { filter.selects($0) }
        guard !chosen.isEmpty else {
            throw PostgresError(
                "no table of this move is called \(ask.tables.joined(separator: ", "))",
                detail:
                    "Tables that were made after the move began are not part of it; a partition goes with its table.",
                hint: "martlet status --json lists the tables."
            )
        }
        return Ask.Resynced(tables: try await resync(named: Set(chosen)))
    }

    @discardableResult
    private func resync(named names: Set<QualifiedName>) async throws -> [Ask.Resynced.Table] {
        let units = moved.filter { names.contains($0.name) }
        let relations = Set(units.map(\.oid))
        run.monitor.activity("copying \(units.map { "table \"\($0.name)\"" }.joined(separator: ", ")) again")
        // Lanes that hold stop for nobody.
        guard !run.throttle.isPaused else { throw Ask.paused("resync") }
        // Whatever happens, the tables go on from where the journal says.
        defer { follower.go(relations) }
        try await follower.stop(relations)
        let copied = try await withSnapshot(
            of: followed,
            from: .temporarySlot(run.names.temporarySlot),
            waiting: run.tellBlockers
        ) { snapshot in
            try await withBothSides(snapshot) { from, to in
                var copied: [Ask.Resynced.Table] = []
                for unit in units { copied.append(try await copy(unit, snapshot, from, to)) }
                return copied
            }
        }
        follower.stopListening()
        follower.go(relations)
        run.monitor.activity("catching up with what was copied again")
        try await follower.untilGoing(relations, within: .seconds(3600))
        return copied
    }

    /// Empties a table with its partitions, copies it, and notes the position of the copy; all or nothing.
    private func copy(
        _ unit: Table,
        _ snapshot: Snapshot,
        _ from: Connection,
        _ to: Connection
    ) async throws -> Ask.Resynced.Table {
        let schema = try Schema(from)
        let parts = schema.tables.filter { $0.kind == .ordinary && schema.root(of: $0).oid == unit.oid }
        let isReferenced = crossing.plan.referenced.contains(unit.oid)
        // A partition or a column may be new; what the rules say about it is decided under the same snapshot.
        let maps =
            crossing.direction == .forward && run.options.mapping != nil
            ? try Selection.ofSource(from, options: run.options).maps : crossing.selection.maps
        return try await to.transaction {
            var rows = 0
            for part in parts {
                let map = maps[part.name]
                rows += try Recopy(from: from, to: to, throttle: run.throttle).all(
                    of: part,
                    map: map,
                    isReferenced: isReferenced
                )
            }
            try to.query(
                "UPDATE martlet.position SET lsn = $3::pg_lsn WHERE stream = $1 AND unit = $2::oid",
                crossing.plan.stream,
                unit.oid,
                snapshot.position
            )
            return Ask.Resynced.Table(schema: unit.name.schema, name: unit.name.name, rows: rows)
        }
    }

    /// A session that reads under the snapshot, and one that writes as the lanes do.
    private func withBothSides<Result>(
        _ snapshot: Snapshot,
        _ body: (_ from: Connection, _ to: Connection) async throws -> Result
    ) async throws -> Result {
        let name = "martlet repair"
        return try await withNeutralConnection(to: followed, application: name, encoding: crossing.plan.encoding) {
            from in
            // It may have to wait for us, for hours when the move is held.
            try from.execute("SET tcp_user_timeout = 0")
            try from.begin(sharing: snapshot)
            return try await withNeutralConnection(to: written, application: name, encoding: crossing.plan.encoding) {
                to in
                try to.execute("\(crossing.plan.sessionRole.settings); SET lock_timeout = '30s'")
                return try await run.throttle.whileUsed { try await body(from, to) }
            }
        }
    }
}

extension TableVerdict {
    /// Whether every row that differs is listed by its key, in a form that can be read back.
    fileprivate var listsAllKeys: Bool {
        differences.complete && !differences.keys.isEmpty && differences.keys.count == differences.count
            && differences.keys.allSatisfy { key in
                // Control characters are written as COPY does, a backslash as it is: then the one cannot be told from the other.
                !key.key.isEmpty && !key.key.values.contains { $0.unicodeScalars.contains("\\") }
            }
    }
}
