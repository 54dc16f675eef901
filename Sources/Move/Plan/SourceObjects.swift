import Catalog
import Engine
import Postgres
import Sync

/// What a move needs on a server that is followed: replica identities, a publication, a slot.
///
/// Each is written to the journal before it is made, with the statement that takes it back.
struct SourceObjects {
    let names: Names
    let side: Journal.Side

    /// Gives every table that is to be followed a replica identity, where it has none that serves.
    ///
    /// A unique index over NOT NULL columns serves best. Without one the whole row has to be logged.
    /// The identity must be there before the publication: a table in a publication without one
    /// refuses the owner's own UPDATE and DELETE. Takes ACCESS EXCLUSIVE on each such table for a moment.
    func ensureIdentities(of selection: Selection, on server: Connection, journal: Connection) async throws {
        for table in selection.tables {
            guard let needed = selection.schema.neededIdentity(of: table, selection.mapped) else { continue }
            let object = Journal.Object(
                side: side,
                kind: Self.identityKind,
                name: table.name.description,
                undo: "ALTER TABLE IF EXISTS ONLY \(table.name) REPLICA IDENTITY \(Self.clause(before: table))"
            )
            try Journal.note(object, on: journal)
            try await Gate.patient.pass(server) {
                try server.execute("ALTER TABLE ONLY \(table.name) REPLICA IDENTITY \(Self.clause(needed))")
            }
        }
    }

    private static func clause(_ needed: NeededIdentity) -> SQL {
        switch needed {
        case .index(let index): "USING INDEX \(Identifier(index.name.name))"
        case .full: "FULL"
        }
    }

    /// One that names an index which was dropped names nothing, and cannot be given again; a dump tells it as DEFAULT.
    private static func clause(before table: Table) -> SQL {
        switch table.replicaIdentity {
        case .primaryKey: "DEFAULT"
        case .full: "FULL"
        case .nothing: "NOTHING"
        case .index: table.indexes.first(where: \.isReplicaIdentity).map { clause(.index($0)) } ?? "DEFAULT"
        }
    }

    /// Has the identities that were set for the move taken back on the other server, too: the dump carries them there.
    ///
    /// There they serve the move as well: a lane finds a row by what the log of the source holds of it.
    /// May be repeated. To be called before the tables are made.
    func noteCopiedIdentities(journal: Connection) throws {
        for object in try Journal.objects(kinds: [Self.identityKind], on: journal) where object.side == side {
            let copy = Journal.Object(side: .target, kind: object.kind, name: object.name, undo: object.undo)
            try Journal.note(copy, on: journal)
        }
    }

    static let identityKind = "replica identity"

    /// Makes the publication: the tables by name, partitioned ones as a whole, all columns, the rows that are moved.
    ///
    /// It must be there before the slot: the output plugin looks it up as of the time of each change. One that an earlier try left may lack
    /// tables that were made since, and is replaced.
    func makePublication(of selection: Selection, on server: Connection, journal: Connection) async throws {
        let object = Journal.Object(
            side: side,
            kind: "publication",
            name: names.publication.name,
            undo: "DROP PUBLICATION IF EXISTS \(names.publication)"
        )
        try Journal.note(object, on: journal)
        let list = selection.published.map { table -> SQL in
            let filter: SQL = selection.maps[table.name]?.filter.map { " WHERE (\($0))" } ?? ""
            return "\(table.kind == .partitioned ? "" : "ONLY " as SQL)\(table.name)\(filter)"
        }
        let tables: SQL = list.isEmpty ? "" : " FOR TABLE \(.joined(list))"
        try await Gate.patient.pass(server) {
            try server.execute(
                """
                DROP PUBLICATION IF EXISTS \(names.publication);
                CREATE PUBLICATION \(names.publication)\(tables) WITH (publish_via_partition_root = true)
                """
            )
        }
    }

    /// The tables that a publication names.
    static func published(by publication: Identifier, on server: Connection) throws(PostgresError) -> Set<UInt32> {
        let rows = try server.query(
            """
            SELECT prrelid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = prpubid WHERE pubname = $1
            """,
            publication
        )
        return Set(try rows.map { row throws(PostgresError) in try row("prrelid", as: UInt32.self) })
    }

    /// Writes down a slot that is to be made.
    func note(slot: Identifier, journal: Connection) throws {
        try Journal.note(
            Journal.Object(side: side, kind: "slot", name: slot.name, undo: Self.dropSlot(slot)),
            on: journal
        )
    }

    /// Drops a slot if it is there; a receiver that still streams it is ended first.
    static func dropSlot(_ slot: Identifier) -> SQL {
        """
        SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
         WHERE slot_name = \(literal: slot.name) AND active;
        DO $martlet$ BEGIN
          FOR try IN 1 .. 50 LOOP
            EXIT WHEN NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = \(literal: slot.name) AND active);
            PERFORM pg_sleep(0.1);
          END LOOP;
        END $martlet$;
        SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = \(literal: slot.name)
        """
    }
}

extension Schema {
    /// What a table lacks to be followed when rules make more of it than it is; nil when it can be followed as it is.
    ///
    /// Rows are chosen by a filter by their old values, too; and a key that only the target has finds rows by them. What
    /// the replica identity has not of these must be in the log with the whole row, of the whole table and each partition.
    func neededIdentity(of table: Table, _ mapped: [UInt32: MappedTable]) -> NeededIdentity? {
        guard !table.isUnlogged, table.replicaIdentity != .full else { return nil }
        let root = root(of: table)
        let isAsked = table.kind == .ordinary || !table.isPartition
        if isAsked, needsWholeRow(root, mapped[root.oid]) { return .full }
        return neededIdentity(of: table)
    }

    /// Whether UPDATE and DELETE of a table fail as soon as a server of this version publishes it with what rules make of it.
    func cannotBePublished(_ table: Table, _ mapped: [UInt32: MappedTable], by major: Int) -> Bool {
        if cannotBePublished(table, by: major) { return true }
        guard major >= 18, table.kind == .ordinary, table.columns.contains(where: \.isGenerated) else { return false }
        return neededIdentity(of: table, mapped) == .full
    }

    private func needsWholeRow(_ root: Table, _ mapped: MappedTable?) -> Bool {
        guard let mapped else { return false }
        var needed = mapped.filtered
        if let key = mapped.key, !key.isUniqueIndex {
            needed.formUnion(root.columns.map(\.identifier).filter { key.columns.contains(mapped.map.target($0)) })
        }
        return !needed.isSubset(of: root.key.map(\.identifier))
    }
}
