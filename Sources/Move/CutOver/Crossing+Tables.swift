import Catalog
import Engine
import Postgres
import Sync

/// Which tables a switch is about.
extension Crossing {
    /// The same with the tables as they are now: partitions come and go while a move runs, and columns too.
    func refreshed() async throws -> Crossing {
        var crossing = self
        crossing.present = try await withNeutralConnection(to: left) { try Self.tables(on: $0) }
        crossing.selection =
            direction == .forward ? try await run.sourceSelection() : try await run.targetSelection()
        let loads = try await withNeutralConnection(to: run.endpoints.target) { try Journal.loads(on: $0) }
        crossing.known.formUnion(loads.map { crossing.leftName($0.table) })
        return crossing
    }

    private static func tables(on server: Connection) throws(PostgresError) -> Set<UInt32> {
        let rows = try server.query(
            """
            SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
             WHERE relkind IN ('r', 'p') AND relpersistence <> 't' AND nspname NOT IN ('martlet', 'information_schema')
               AND c.oid >= 16384
            """
        )
        return Set(try rows.map { row throws(PostgresError) in try row("oid", as: UInt32.self) })
    }

    /// The tables that are to be equal: none that was made since the move began, unless it has taken the place of another.
    var followed: [Table] {
        selection.published.filter { plan.tables[$0.oid] != nil || known.contains($0.name) }
    }

    /// Tables that were dropped and made anew by the same name, or were a partition: they are not in the stream.
    var replaced: [QualifiedName] {
        selection.published.filter { plan.tables[$0.oid] == nil && known.contains($0.name) }.map(\.name).sorted()
    }

    /// Whether a rollback comes back to a server on which tables that were not moved may have been in use.
    var oldServerIsInUse: Bool {
        get async throws {
            guard direction == .reverse else { return false }
            return try await !run.sourceSelection().excluded.isEmpty
        }
    }

    /// Tables that the log does not tell changes of.
    var unlogged: [String] { selection.tables.filter(\.isUnlogged).map(\.name.description).sorted() }

    /// What those of some tables that are moved are called where changes are written, as the keys of changed rows are noted.
    func names(ofTables oids: Set<UInt32>) -> [QualifiedName] {
        selection.published.filter { oids.contains($0.oid) }.map { selection.maps.target(of: $0.name) }.sorted()
    }

    /// What happened to a table's file, its columns or a single partition is not in the stream, so that all rows must be compared again.
    ///
    /// A table that is compared in whole behind the fence, as one that was truncated is, needs no more than that.
    func refuseTables(
        changedOn server: Connection,
        beside compared: [QualifiedName: ChangedKeys.Change]
    ) throws {
        let changed = names(ofTables: try files.changedTables(on: server)).filter { name in
            guard case .everything = compared[name] else { return true }
            return false
        }
        guard !changed.isEmpty else { return }
        throw PostgresError(
            "tables or partitions were rewritten, changed, dropped or detached while the \(direction.name) was prepared",
            detail: "They are of \(changed.map { "table \"\($0)\"" }.joined(separator: ", ")).",
            hint: "Run martlet \(direction.name) again; it begins with comparing everything."
        )
    }

    /// A table that was made since has no trigger of the fence, and a partition can be written to by its own name.
    func refuseTables(madeOn server: Connection) async throws {
        let new = try Self.tables(on: server).subtracting(present)
        guard !new.isEmpty else { return }
        // Others come and go without being part of the move.
        let made = try await refreshed().selection.tables.filter { new.contains($0.oid) }
        guard !made.isEmpty else { return }
        throw PostgresError(
            "tables were made while the \(direction.name) was prepared",
            detail: "They are \(made.map { "\"\($0.name)\"" }.sorted().joined(separator: ", ")).",
            hint: "Run martlet \(direction.name) again."
        )
    }
}
