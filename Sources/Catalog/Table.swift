public import Postgres

/// A table of a database, with what decides how it is copied, followed and compared.
public struct Table: Sendable, Hashable {
    /// What kind of relation it is.
    public enum Kind: String, Sendable, Hashable {
        /// Holds rows of its own; a partition too.
        case ordinary = "r"
        /// Holds its rows in partitions.
        case partitioned = "p"
    }

    /// Which old values an UPDATE or DELETE writes to the log (`ALTER TABLE … REPLICA IDENTITY`).
    public enum ReplicaIdentity: String, Sendable, Hashable {
        /// The primary key, when there is one.
        case primaryKey = "d"
        /// A unique index that was named.
        case index = "i"
        /// The whole row.
        case full = "f"
        /// Nothing: updates and deletes cannot be followed.
        case nothing = "n"
    }

    /// The table's OID on the server it was read from.
    public let oid: UInt32
    /// The table's name.
    public let name: QualifiedName
    /// Ordinary or partitioned.
    public let kind: Kind
    /// Whether its rows never reach the log.
    public let isUnlogged: Bool
    /// What the log holds of old rows.
    public let replicaIdentity: ReplicaIdentity
    /// The OID of the composite type of its rows.
    public let rowType: UInt32
    /// Whether it is a partition of another table.
    public let isPartition: Bool
    /// The OID of the partitioned table it belongs to.
    public let parent: UInt32?
    /// Whether other tables inherit from it, or are its partitions.
    public let hasChildren: Bool
    /// Whether a row of this partitioned table may belong into another partition on another server.
    public let isPlacedByServer: Bool
    /// Whether policies restrict who sees which row.
    public let hasRowSecurity: Bool
    /// Size of its main fork in blocks; 0 for a partitioned table.
    public let pages: Int
    /// Size without indexes, with TOAST, in bytes.
    public let bytes: Int
    /// The planner's estimate of its rows; 0 when it was never analysed.
    public let estimatedRows: Int
    /// The role that owns it.
    public let owner: String
    /// Whether our role has the owner's rights.
    public let isOurs: Bool
    /// Its columns by attribute number, dropped ones left out.
    public internal(set) var columns: [Column] = []
    /// Its indexes.
    public internal(set) var indexes: [Index] = []

    init(_ row: Row) throws(PostgresError) {
        oid = try row("oid")
        name = QualifiedName(schema: try row("schema"), name: try row("name"))
        kind = Kind(rawValue: try row("kind")) ?? .ordinary
        isUnlogged = try row("persistence", as: String.self) == "u"
        replicaIdentity = ReplicaIdentity(rawValue: try row("replica_identity")) ?? .nothing
        rowType = try row("row_type")
        isPartition = try row("is_partition")
        parent = try row.optional("parent")
        hasChildren = try row("has_children")
        isPlacedByServer = try row("is_placed_by_server")
        hasRowSecurity = try row("has_row_security")
        pages = try row("pages")
        bytes = try row("bytes")
        estimatedRows = try row("estimated_rows")
        owner = try row("owner")
        isOurs = try row("is_ours")
    }

    /// The columns that are stored as they are given: all but generated ones.
    public var storedColumns: [Column] { columns.filter { !$0.isGenerated } }

    /// The primary key's index.
    public var primaryKey: Index? { indexes.first { $0.isPrimary && $0.isValid } }

    /// The index by whose columns the log names a row: the primary key, or the replica identity's index.
    ///
    /// With REPLICA IDENTITY FULL it is still the primary key, which the whole old row contains.
    public var identityIndex: Index? {
        switch replicaIdentity {
        // One whose check may wait does not name one row while a transaction runs, and the server does not take it.
        case .primaryKey, .full: primaryKey.flatMap { $0.isImmediate ? $0 : nil }
        case .index: indexes.first(where: \.isReplicaIdentity)
        case .nothing: nil
        }
    }

    /// The columns by which one row is found when a change arrives; empty when only the whole row can name it.
    ///
    /// A generated column is not in the log's rows as they are sent, so a key with one names nothing.
    public var key: [Column] {
        guard let index = identityIndex, !hasGenerated(in: index) else { return [] }
        return index.key.compactMap { number in columns.first { $0.number == number } }
    }

    private func hasGenerated(in index: Index) -> Bool {
        index.key.contains { number in columns.contains { $0.number == number && $0.isGenerated } }
    }

    /// Whether the log has what is needed to find the row of an UPDATE or DELETE.
    public var canFollowUpdates: Bool {
        replicaIdentity == .full || !key.isEmpty
    }

    /// The operator by which the index of a key finds a column's values, with its schema: our search_path has no extensions.
    public func equality(of column: Column) -> SQL {
        let keys = [primaryKey, identityIndex, candidateIdentity].compactMap(\.self)
        let operators = keys.first { $0.key.contains(column.number) }.map { zip($0.key, $0.equality) }
        return operators?.first { $0.0 == column.number }.map { SQL(trusting: $0.1) } ?? "="
    }

    /// A unique index that could serve as replica identity: plain, immediate, complete, over columns that are NOT NULL and sent.
    public var candidateIdentity: Index? {
        indexes.first { index in
            index.isUnique && index.isImmediate && index.isPlain && index.isValid && !hasGenerated(in: index)
                && index.key.allSatisfy { number in columns.contains { $0.number == number && $0.isNotNull } }
        }
    }
}

/// A column of a table.
public struct Column: Sendable, Hashable {
    /// The attribute number.
    public let number: Int
    /// The column's name.
    public let name: String
    /// Its type.
    public let type: DataType
    /// Its type with modifiers, as DDL would write it.
    public let declaredType: String
    /// Whether it is declared NOT NULL.
    public let isNotNull: Bool
    /// Whether the server computes it.
    public let isGenerated: Bool
    /// Whether it is GENERATED ALWAYS AS IDENTITY, and so cannot be set by an UPDATE.
    public let isIdentityAlways: Bool

    /// The quoted name.
    public var identifier: Identifier { Identifier(name) }
}

/// An index of a table, with the constraint that stands on it.
public struct Index: Sendable, Hashable {
    /// A constraint that an index enforces.
    public struct Constraint: Sendable, Hashable {
        /// The constraint's OID on the server it was read from.
        public let oid: UInt32
        /// The constraint's name.
        public let name: String
        /// `p` primary key, `u` unique, `x` exclusion.
        public let kind: String
        /// As `pg_get_constraintdef` writes it.
        public let definition: String
        /// Whether its check may wait for the end of the transaction.
        public let isDeferrable: Bool
        /// Whether it waits without being asked to.
        public let isDeferred: Bool
    }

    /// The index's OID on the server it was read from.
    public let oid: UInt32
    /// The OID of its table.
    public let table: UInt32
    /// The index's name.
    public let name: QualifiedName
    /// Whether it is only the roof over indexes of partitions.
    public let isPartitioned: Bool
    /// The OID of the index of the partitioned table that it belongs to.
    public let parent: UInt32?
    /// As `pg_get_indexdef` writes it.
    public let definition: String
    /// Whether it is the primary key's.
    public let isPrimary: Bool
    /// Whether it forbids duplicates.
    public let isUnique: Bool
    /// Whether it checks at once, not at the end of the transaction.
    public let isImmediate: Bool
    /// Whether it is complete.
    public let isValid: Bool
    /// Whether CLUSTER would use it.
    public let isClustered: Bool
    /// Whether it was chosen as replica identity.
    public let isReplicaIdentity: Bool
    /// Whether it has neither a predicate nor an expression.
    public let isPlain: Bool
    /// The attribute numbers of its key columns; 0 stands for an expression.
    public let key: [Int]
    /// The operators by which it finds equal values of its key columns, with their schemas; none unless it is a unique B-tree.
    public let equality: [String]
    /// Its size in bytes.
    public let bytes: Int
    /// The tablespace that it is in; nil for the database's own.
    public let tablespace: String?
    /// Actions of ALTER INDEX that set column statistics.
    public let statistics: String?
    /// The constraint that it enforces.
    public let constraint: Constraint?

    init(_ row: Row) throws(PostgresError) {
        oid = try row("oid")
        table = try row("table")
        name = QualifiedName(schema: try row("schema"), name: try row("name"))
        isPartitioned = try row("is_partitioned")
        parent = try row.optional("parent")
        definition = try row("definition")
        isPrimary = try row("is_primary")
        isUnique = try row("is_unique")
        isImmediate = try row("is_immediate")
        isValid = try row("is_valid")
        isClustered = try row("is_clustered")
        isReplicaIdentity = try row("is_replica_identity")
        isPlain = try row("is_plain")
        key = try row("key")
        equality = try row("equality")
        bytes = try row("bytes")
        tablespace = try row.optional("tablespace")
        statistics = try row.optional("statistics")
        if let name: String = try row.optional("constraint") {
            constraint = Constraint(
                oid: try row("constraint_oid"),
                name: name,
                kind: try row("constraint_kind"),
                definition: try row("constraint_definition"),
                isDeferrable: try row("is_deferrable"),
                isDeferred: try row("is_deferred")
            )
        } else {
            constraint = nil
        }
    }
}
