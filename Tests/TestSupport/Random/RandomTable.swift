import Postgres

/// A column of a random table, and where its values come from.
struct RandomColumn: Sendable {
    /// What a column is for, which decides its values.
    enum Role: Sendable {
        /// Names rows; counts round after `modulus` numbers, or never.
        case key(modulus: Int?)
        /// Any value.
        case value
        /// Another value for each number, or NULL.
        case unique
        /// Decides the partition: one of so many values.
        case partition(values: Int)
        /// A value of a column that a foreign key refers to.
        case reference(to: Identifier, of: QualifiedName)
        /// Computed by the server.
        case generated
    }

    /// Whether the server counts by itself.
    enum Identity: Sendable { case none, always, byDefault }

    var name: Identifier
    var type: RandomType
    var role: Role
    var identity = Identity.none
    var isNotNull = false
    var hasDefault = false
    /// What stands after the type in a definition.
    var definition: SQL = ""

    /// Whether NULL is refused.
    var isRequired: Bool { isNotNull || type.isRequired }

    /// Whether an INSERT may name it.
    var isWritable: Bool {
        if case .generated = role { return false }
        return true
    }

    /// Whether rows are named by it, alone or with others.
    var isKey: Bool {
        if case .key = role { return true }
        return false
    }

    /// Whether any value will do.
    var isPlain: Bool {
        if case .value = role { return identity == .none }
        return false
    }

    /// The value for a whole number, as an expression of the column's type.
    func value(for number: SQL, salt: Int) -> SQL {
        switch role {
        case .key(nil): return fixed(number)
        case .key(let modulus?): return fixed("((\(number)) % \(modulus) + 1)")
        case .partition(let values): return fixed("((\(number)) % \(values))")
        case .unique:
            return isRequired ? fixed(number) : "CASE WHEN (\(number)) % 5 > 0 THEN \(fixed(number)) END"
        case .reference(let column, let table):
            // The same row for each column of the key.
            return """
                (SELECT \(Identifier("the parent")).\(column) FROM \(table) AS "the parent" WHERE (\(number)) % 7 > 0 \
                ORDER BY hashtext(("the parent".*)::text || (\(number))::text) LIMIT 1)
                """
        case .value, .generated: return sample(of: number, salt: salt)
        }
    }

    /// The value that belongs to a number, whatever the column's role.
    func fixed(_ number: SQL) -> SQL {
        guard let value = type.number else { return sample(of: number, salt: 1) }
        return "(\(value(number)))::\(type.sql)"
    }

    /// One of the samples, by a hash of the number; NULL too where it may be.
    private func sample(of number: SQL, salt: Int) -> SQL {
        let samples = type.samples
        let choice: SQL = "abs(hashint4((\(number))::int4 + \(salt)) % \(samples.count + (isRequired ? 0 : 1)))"
        let cases = samples.enumerated().map { "WHEN \($0) THEN \($1)" as SQL }
        // A CASE without a branch that fits is NULL, which a domain may refuse even where it is not reached.
        let last: SQL = isRequired ? " ELSE \(samples[0])" : ""
        return "CASE \(choice) \(.joined(cases, separator: " "))\(last) END"
    }
}

/// A random table, as a workload needs to know it.
struct RandomTable: Sendable {
    /// How the rows of a table are named.
    enum Key: Sendable { case primary, index, none }

    let name: QualifiedName
    var columns: [RandomColumn]
    var key = Key.none
    /// Whether the constraint of the key waits for the end of a transaction.
    var isDeferrable = false
    var isUnlogged = false
    var isPartitioned = false
    /// Whether the owner has told the server to log nothing but inserts, or the application does nothing else.
    var isInsertOnly = false
    /// Whether tables inherit from it, so that its name reads their rows too.
    var hasChildren = false
    /// Whether its columns are those of something else.
    var isFixed = false
    /// How many rows it begins with.
    var rows = 0

    init(name: QualifiedName, columns: [RandomColumn], key: Key = .none) {
        self.name = name
        self.columns = columns
        self.key = key
    }

    /// The columns of the key.
    var keyColumns: [RandomColumn] { columns.filter(\.isKey) }

    /// The columns that a foreign key can refer to: in a partitioned table the partition's too.
    var identity: [RandomColumn] {
        columns.filter { column in
            if case .partition = column.role { return key != .none }
            return column.isKey
        }
    }

    /// The columns that an INSERT may name.
    var writable: [RandomColumn] { columns.filter(\.isWritable) }

    /// The statement that adds a row for each number from `first` to `last`.
    func insertion(from first: Int, to last: Int, salt: Int, omitting omitted: Set<Identifier> = []) -> SQL {
        let columns = writable.filter { !omitted.contains($0.name) }
        guard !columns.isEmpty else { return "INSERT INTO \(name) DEFAULT VALUES" }
        let values = columns.enumerated().map { $1.value(for: "n", salt: salt + 31 * $0) }
        let overriding: SQL = columns.contains { $0.identity != .none } ? " OVERRIDING SYSTEM VALUE" : ""
        return """
            INSERT INTO \(name) (\(.joined(columns.map { "\($0.name)" })))\(overriding) \
            SELECT \(.joined(values)) FROM generate_series(\(first), \(last)) AS n
            """
    }
}
