import Postgres

/// Decides for each column of a table which values it gets, and how they are chosen.
struct FieldChoices {
    private let table: TableShape
    private let wish: RowPlan.Wish
    private let format: RowBuffer.Format
    private let connection: Connection
    /// What checks want of each column by itself.
    private let conditions: [Int: [CheckExpression.Wish]]
    private var fields: [Field] = []

    /// Whether the table has no rows yet; known after ``chosen()``.
    private(set) var isEmpty = true
    /// How many rows there will be; known after ``chosen()``.
    private(set) var rows: Int

    init(_ table: TableShape, _ wish: RowPlan.Wish, _ format: RowBuffer.Format, on connection: Connection) {
        (self.table, self.wish, self.format, self.connection) = (table, wish, format, connection)
        conditions = RowConditions.wishes(of: table)
        rows = wish.rows
    }

    /// The fields, those first whose columns come first.
    ///
    /// - Throws: when a column that needs a value has a type that is not known, or cannot have values that differ.
    mutating func chosen() throws(PostgresError) -> [Field] {
        isEmpty = try connection.query("SELECT FROM \(table.name) LIMIT 1").isEmpty
        try checkValues()
        try addReferences()
        try addNumbers()
        try addOthers()
        try makeDistinct()
        try addOwnReferences()
        letBeNull()
        fields.sort { ($0.columns.first?.number ?? 0) < ($1.columns.first?.number ?? 0) }
        return fields
    }

    private func checkValues() throws(PostgresError) {
        for name in wish.values.keys.sorted()
        where !table.columns.contains(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
            throw PostgresError(
                "table \"\(table.name)\" has no column \"\(name)\"",
                detail: "It has these: \(table.columns.map(\.name).joined(separator: ", "))."
            )
        }
    }

    private func isTaken(_ column: TableShape.Column) -> Bool {
        column.isGenerated || fields.contains { $0.columns.contains(column) }
    }

    private func isKey(_ columns: [Int]) -> Bool {
        table.keys.contains { !$0.isOwnRule && Set($0.columns).isSubset(of: columns) }
    }

    // MARK: Foreign keys

    /// References to other tables, and to rows that are in this one already.
    private mutating func addReferences() throws(PostgresError) {
        for references in Self.connected(table.references.filter { $0.referenced != table.oid || !isEmpty }) {
            let named = references.flatMap(\.columns).compactMap { table.column($0) }
            guard !named.contains(where: { wish.values[$0.name] != nil || isTaken($0) }) else { continue }
            let question = ReferencedKeys.Wish(
                table: table,
                references: references,
                mustDiffer: isKey(references.flatMap(\.columns)),
                format: format,
                rows: wish.rows,
                seed: wish.seed
            )
            let keys = try ReferencedKeys.read(question, on: connection)
            guard keys.count > 0 else {
                // A NULL in one of its columns satisfies it.
                guard let free = named.first(where: { !$0.isNotNull }) else {
                    throw Self.nothing(to: references, table)
                }
                fields.append(Field(columns: [free], values: ListedValues([""]), choice: .among(1), nullShare: 1))
                continue
            }
            let choice: Choice =
                wish.skew > 0
                ? .skewed(wish.skew, Scatter(size: keys.count, seed: wish.seed)) : .among(keys.count)
            fields.append(Field(columns: question.columns, values: keys, choice: choice))
        }
    }

    /// Foreign keys that have columns in common, together.
    private static func connected(_ references: [TableShape.Reference]) -> [[TableShape.Reference]] {
        var groups: [[TableShape.Reference]] = []
        for reference in references {
            let touching = groups.indices.filter { group in
                groups[group].contains { !Set($0.columns).isDisjoint(with: reference.columns) }
            }
            let joined = touching.flatMap { groups[$0] } + [reference]
            for group in touching.reversed() { groups.remove(at: group) }
            groups.append(joined)
        }
        return groups
    }

    private static func nothing(to references: [TableShape.Reference], _ table: TableShape) -> PostgresError {
        let names = references.map { "\"\($0.table)\"" }.joined(separator: ", ")
        return PostgresError(
            "table \"\(table.name)\" refers to table \(names), where there is no row",
            hint: "Fill it first; --all fills all tables in their order."
        )
    }

    // MARK: Other columns

    /// Numbers that the server draws from a sequence are left to it, unless rows of this table refer to each other by them.
    private mutating func addNumbers() throws(PostgresError) {
        let own = isEmpty ? table.references.filter { $0.referenced == table.oid } : []
        for column in table.columns where column.isNumbered && !isTaken(column) {
            guard own.contains(where: { $0.referencedColumns == [column.number] }) else { continue }
            guard let numbers = try reserve(column) else { continue }
            fields.append(Field(columns: [column], values: numbers, choice: .inOrder(numbers.count)))
        }
    }

    /// Draws as many numbers as there will be rows; nil when they do not follow each other.
    private func reserve(_ column: TableShape.Column) throws(PostgresError) -> DecimalNumbers? {
        let row = try connection.query(
            """
            SELECT min(n) AS least, max(n) AS greatest
              FROM (SELECT nextval(pg_get_serial_sequence($1, $2)) AS n FROM generate_series(1, $3::bigint)) AS drawn
            """,
            table.name.quoted,
            column.name,
            wish.rows
        ).first
        guard let least = try row?.optional("least", as: Int.self),
            let greatest = try row?.optional("greatest", as: Int.self),
            greatest.subtractingReportingOverflow(least) == (wish.rows - 1, false)
        else { return nil }
        return DecimalNumbers(from: least, through: greatest)
    }

    private mutating func addOthers() throws(PostgresError) {
        let values = ColumnValues(days: wish.days, seed: wish.seed)
        let own = isEmpty ? Set(table.references.filter { $0.referenced == table.oid }.flatMap(\.columns)) : []
        for column in table.columns where !isTaken(column) && !own.contains(column.number) {
            if let texts = wish.values[column.name] {
                let listed = ListedValues(texts)
                fields.append(Field(columns: [column], values: listed, choice: .among(max(1, listed.count))))
                continue
            }
            guard !column.isNumbered else { continue }
            let mustDiffer = table.keys.contains {
                $0.columns.contains(column.number) && ($0.columns.count == 1 || $0.isOwnRule)
            }
            let found = values.values(of: column, conditions[column.number] ?? [], mustDiffer: mustDiffer)
            guard let found, found.count > 0 else {
                guard column.isNotNull, !column.hasDefault else { continue }
                throw Self.unknown(column, of: table)
            }
            fields.append(Field(columns: [column], values: found, choice: .among(max(1, found.usual))))
        }
    }

    private static func unknown(_ column: TableShape.Column, of table: TableShape) -> PostgresError {
        PostgresError(
            "could not make values for column \"\(column.name)\" of table \"\(table.name)\"",
            detail: "It is NOT NULL, has no default, and its type is \(column.plainType).",
            hint: "Name some: --values '\(column.name)=one,another'"
        )
    }

    // MARK: Keys

    /// Rows that are there already may have some of the values, so twice as many are kept ready.
    private func needed() throws(PostgresError) -> UInt64 {
        guard !isEmpty else { return UInt64(wish.rows) }
        let row = try connection.query(
            "SELECT greatest(reltuples, 1)::bigint AS rows FROM pg_class WHERE oid = $1",
            table.oid
        ).first
        let present: Int = try row?("rows") ?? 1
        return 2 * (UInt64(wish.rows) + UInt64(clamping: present))
    }

    /// Chooses the columns of each key so that no row has what another one has.
    private mutating func makeDistinct() throws(PostgresError) {
        let needed = try needed()
        var satisfied: [Set<Int>] = []
        for key in table.keys {
            let members = fields.indices.filter { field in
                fields[field].columns.contains { key.columns.contains($0.number) }
            }
            // NULL differs from NULL.
            let isSatisfied =
                satisfied.contains { $0.isSubset(of: members) } || members.contains { fields[$0].nullShare == 1 }
            // A number that the server draws differs by itself.
            let isNumbered = key.columns.contains { number in
                table.column(number)?.isNumbered == true
                    && !members.contains { fields[$0].columns.contains { $0.number == number } }
            }
            guard !isSatisfied, !isNumbered, !members.isEmpty else { continue }
            let free = members.filter { if case .digit = fields[$0].choice { false } else { true } }
            let reserved = members.contains {
                if case .inOrder = fields[$0].choice { fields[$0].nullShare == 0 } else { false }
            }
            guard !reserved else { continue }
            // A key that shares a column with another is made distinct by what is its own.
            let able = free.isEmpty ? members : free
            let chosen = try share(needed, among: key.isOwnRule ? single(needed, of: able) : able, key)
            satisfied.append(Set(chosen))
        }
    }

    /// Of an expression over several columns nobody knows which one makes it differ; one that has enough values does.
    private func single(_ needed: UInt64, of members: [Int]) -> [Int] {
        let enough = members.filter { fields[$0].values.isDistinct && fields[$0].values.count >= needed }
        return enough.first.map { [$0] } ?? members
    }

    /// Gives each of some fields a digit of the row's place, and returns them.
    private mutating func share(
        _ needed: UInt64,
        among members: [Int],
        _ key: TableShape.Key
    ) throws(PostgresError) -> [Int] {
        let able = members.filter { fields[$0].values.isDistinct }
        var sizes = able.map { max(1, fields[$0].values.usual) }
        func product() -> UInt64 {
            sizes.reduce(1) { product, size in
                let (next, isOver) = product.multipliedReportingOverflow(by: size)
                return isOver ? .max : next
            }
        }
        // Where usual values are too few, unusual ones are taken of the column that has most.
        let order = able.indices.sorted { fields[able[$0]].values.count > fields[able[$1]].values.count }
        for place in order where product() < needed { sizes[place] = fields[able[place]].values.count }
        if !able.isEmpty, wish.takesFewer { rows = min(rows, Int(clamping: product())) }
        guard !able.isEmpty, product() >= rows else {
            let columns = key.columns.compactMap { table.column($0)?.name }.joined(separator: ", ")
            throw PostgresError(
                "table \"\(table.name)\" cannot take \(wish.rows) rows",
                detail: "Its key \"\(key.name)\" (\(columns)) can differ in \(able.isEmpty ? 0 : product()) rows only.",
                hint: "Make fewer rows, or more in the tables that it refers to."
            )
        }
        // Where there are rows already, they were made by the same seed as often as not.
        let start = wish.seed &+ UInt64(able.first ?? 0) &+ SeededNumbers.mix(needed &- UInt64(wish.rows))
        let scatter = Scatter(size: product(), seed: start)
        var divisor: UInt64 = 1
        for (place, field) in able.enumerated() {
            fields[field].choice = .digit(scatter, divisor: divisor, size: sizes[place])
            let (next, isOver) = divisor.multipliedReportingOverflow(by: sizes[place])
            divisor = isOver ? .max : next
        }
        return able
    }

    // MARK: References within the table

    /// In an empty table a row refers to one that comes before it.
    private mutating func addOwnReferences() throws(PostgresError) {
        guard isEmpty else { return }
        for reference in table.references where reference.referenced == table.oid {
            let columns = reference.columns.compactMap { table.column($0) }
            guard !columns.contains(where: isTaken) else { continue }
            let target = fields.first { $0.columns.map(\.number) == reference.referencedColumns }
            // Of rows that the server looks at first some are dropped, and nobody may refer to those.
            let isFree = target.map { !RowConditions.asksServer(about: $0.columns + columns, of: table) } ?? false
            if let target, isFree {
                // Some rows are the first of their kind.
                let share = columns.contains(where: \.isNotNull) ? 0 : max(wish.nullShare, 0.1)
                fields.append(
                    Field(columns: columns, values: target.values, choice: .earlier(target.choice), nullShare: share)
                )
            } else if let column = columns.first(where: \.isNotNull) {
                throw Self.unknown(column, of: table)
            }
        }
    }

    private mutating func letBeNull() {
        let keyed = Set(table.keys.flatMap(\.columns))
        for place in fields.indices where fields[place].nullShare == 0 {
            let columns = fields[place].columns
            guard columns.allSatisfy({ !$0.isNotNull && !keyed.contains($0.number) && wish.values[$0.name] == nil })
            else { continue }
            fields[place].nullShare = wish.nullShare
        }
    }
}
