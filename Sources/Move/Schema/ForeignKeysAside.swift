import Engine
import Postgres
import Sync

/// Drops foreign keys for as long as martlet writes to a server where it cannot act as a replica, and adds them again.
///
/// What cascades on one server would cascade a second time on the other, and rows come in groups that know nothing of
/// which table refers to which. A foreign key cannot be disabled without a superuser, so it goes, and the journal has it:
///
/// - behind the fence of a switch it is added again as NOT VALID, which looks at no row: from the first write of an
///   application on it holds;
/// - then it is validated while everybody works, which proves it for the rows that were there.
///
/// A partitioned table takes no NOT VALID before PostgreSQL 18. There each partition gets the key first, and when they are
/// validated, the table itself: PostgreSQL then adopts those of the partitions and looks at no row
/// (`tryAttachPartitionForeignKey`).
struct ForeignKeysAside {
    /// Undone behind the fence.
    static let kind = "foreign key"
    /// Undone later, when writers are at work.
    static let validationKind = "validation of a foreign key"

    let side: Journal.Side
    /// The OIDs of the tables on that side.
    let tables: [UInt32]

    /// Drops them; to be called in a transaction, which takes ACCESS EXCLUSIVE on both tables of each.
    ///
    /// May be repeated. `journal` is another session, so that the entries are there before. Returns how many there were.
    @discardableResult
    func suspend(on server: Connection, journal: Connection) throws -> Int {
        try server.execute("SET LOCAL search_path = pg_catalog")
        let keys = try server.query(MoveSQL.foreignKeysAside, tables).map { row in
            try AsideForeignKey(row, major: server.majorVersion)
        }
        for key in keys {
            for object in key.objects(on: side) { try Journal.note(object, on: journal) }
            try server.execute("ALTER TABLE \(key.table) DROP CONSTRAINT \(key.name)")
        }
        return keys.count
    }
}

/// One foreign key that is dropped for a while.
struct AsideForeignKey {
    let table: QualifiedName
    let name: Identifier
    /// As SQL writes it.
    private let referenced: String
    private let definition: SQL
    private let isValid: Bool
    /// The partitions to begin with, where the table itself cannot take a key that is not valid.
    private let leaves: [QualifiedName]
    private let takesNotValid: Bool
    private let comment: String?

    init(_ row: Row, major: Int) throws(PostgresError) {
        table = QualifiedName(schema: try row("schema"), name: try row("table"))
        name = Identifier(try row("name"))
        referenced = try row("referenced")
        definition = SQL(trusting: try row("definition"))
        isValid = try row("is_valid")
        takesNotValid = try !row("is_partitioned", as: Bool.self) || major >= 18
        let schemas: [String] = try row("leaf_schemas")
        let names: [String] = try row("leaf_names")
        leaves = takesNotValid ? [] : zip(schemas, names).map { QualifiedName(schema: $0, name: $1) }
        comment = try row.optional("comment")
    }

    /// What takes the drop back, in the order in which it is noted: the last one is done first.
    func objects(on side: Journal.Side) -> [Journal.Object] {
        var objects: [Journal.Object] = []
        func add(_ kind: String, of place: QualifiedName, _ undo: SQL) {
            let name = "\(self.name.quoted) of \(place)"
            objects.append(Journal.Object(side: side, kind: kind, name: name, undo: undo))
        }
        guard !takesNotValid else {
            if isValid { add(ForeignKeysAside.validationKind, of: table, validation(of: table)) }
            add(ForeignKeysAside.kind, of: table, addition(to: table, isLast: true))
            return objects
        }
        // Without partitions there are no rows to look at.
        let kind = leaves.isEmpty ? ForeignKeysAside.kind : ForeignKeysAside.validationKind
        add(kind, of: table, addition(to: table, isLast: true))
        for leaf in leaves { add(ForeignKeysAside.validationKind, of: leaf, validation(of: leaf)) }
        for leaf in leaves { add(ForeignKeysAside.kind, of: leaf, addition(to: leaf, isLast: false)) }
        return objects
    }

    private func addition(to place: QualifiedName, isLast: Bool) -> SQL {
        let only: SQL = takesNotValid && leaves.isEmpty ? "" : place == table ? "" : "ONLY "
        let notValid: SQL = takesNotValid || place != table ? " NOT VALID" : ""
        let add: SQL = "ALTER TABLE \(only)\(place) ADD CONSTRAINT \(name) \(definition)\(notValid)"
        let remark: SQL =
            isLast && comment != nil ? "; COMMENT ON CONSTRAINT \(name) ON \(place) IS \(literal: comment ?? "")" : ""
        return guarded(
            """
            to_regclass(\(literal: place.quoted)) IS NOT NULL AND to_regclass(\(literal: referenced)) IS NOT NULL
            AND NOT EXISTS (\(find(on: place)))
            """,
            "\(add)\(remark)"
        )
    }

    private func validation(of place: QualifiedName) -> SQL {
        guarded(
            "EXISTS (\(find(on: place)) AND NOT convalidated)",
            "ALTER TABLE \(place) VALIDATE CONSTRAINT \(name)"
        )
    }

    private func find(on place: QualifiedName) -> SQL {
        "SELECT FROM pg_constraint WHERE conrelid = to_regclass(\(literal: place.quoted)) AND conname = \(literal: name.name)"
    }

    /// Somebody may have dropped or changed it meanwhile.
    private func guarded(_ condition: SQL, _ statements: SQL) -> SQL {
        let block: SQL = "BEGIN IF \(condition) THEN \(statements); END IF; END"
        return "DO \(literal: block.text)"
    }
}
