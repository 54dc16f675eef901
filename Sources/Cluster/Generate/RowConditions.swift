import Postgres

/// What must be true of the rows of a table, and which of its fields are therefore chosen together.
struct RowConditions {
    private let table: TableShape
    private let wish: RowPlan.Wish
    private let isEmpty: Bool

    private let rows: Int

    /// The conditions of so many rows, to be made by a wish.
    init(_ table: TableShape, _ wish: RowPlan.Wish, rows: Int, isEmpty: Bool) {
        (self.table, self.wish, self.rows, self.isEmpty) = (table, wish, rows, isEmpty)
    }

    /// Fields that are chosen together, by their places among all fields.
    struct Group {
        let fields: [Int]
        let rows: CheckedRows
    }

    /// A condition on some columns.
    private struct Condition {
        let name: String
        let columns: [Int]
        let sql: SQL
        /// Whether the values of the columns are chosen so that it is true.
        let isUnderstood: Bool
    }

    // MARK: What checks want of columns

    /// What the checks want of each column by itself, by attribute numbers.
    static func wishes(of table: TableShape) -> [Int: [CheckExpression.Wish]] {
        var wishes: [Int: [CheckExpression.Wish]] = [:]
        for check in table.checks where check.kind != .partition {
            for condition in CheckExpression(check.expression).conditions {
                let number =
                    check.kind == .domain
                    ? check.columns.first
                    : table.columns.first { $0.name.utf8.elementsEqual(condition.column.utf8) }?.number
                if let number { wishes[number, default: []].append(condition.wish) }
            }
        }
        let partitions = table.checks.filter { $0.kind == .partition }.map { CheckExpression($0.expression).conditions }
        for column in table.columns {
            let own = partitions.map { $0.filter { $0.column.utf8.elementsEqual(column.name.utf8) }.map(\.wish) }
            wishes[column.number, default: []] += hull(own)
        }
        return wishes
    }

    /// What lies between the first bound and the last one of all partitions; nothing when one of them has no bounds.
    private static func hull(_ partitions: [[CheckExpression.Wish]]) -> [CheckExpression.Wish] {
        var (lowest, highest, listed): ([String], [String], [String]) = ([], [], [])
        for wishes in partitions {
            for wish in wishes {
                switch wish {
                case .atLeast(let text, _): lowest.append(text)
                case .atMost(let text, _): highest.append(text)
                case .oneOf(let texts): listed += texts
                default: break
                }
            }
        }
        func isBefore(_ a: String, _ b: String) -> Bool {
            if let a = Double(a), let b = Double(b) { return a < b }
            return a < b
        }
        var hull: [CheckExpression.Wish] = []
        guard !partitions.isEmpty else { return hull }
        if lowest.count == partitions.count, let first = lowest.min(by: isBefore) {
            hull.append(.atLeast(first, isOpen: false))
        }
        if highest.count == partitions.count, let last = highest.max(by: isBefore) {
            hull.append(.atMost(last, isOpen: true))
        }
        // A partition that sets nothing for the column takes what the others take.
        if partitions.allSatisfy({ $0.isEmpty || $0.contains { if case .oneOf = $0 { true } else { false } } }),
            !listed.isEmpty
        {
            hull.append(.oneOf(listed))
        }
        return hull
    }

    // MARK: What the server is asked

    /// Whether the server may have to be asked about rows because of what stands in some columns.
    static func asksServer(about columns: [TableShape.Column], of table: TableShape) -> Bool {
        let numbers = Set(columns.map(\.number))
        return table.checks.contains { check in
            (check.columns.isEmpty || !numbers.isDisjoint(with: check.columns))
                && (check.kind == .partition || !CheckExpression(check.expression).isUnderstood)
        }
    }

    /// The fields that the server must look at before they become rows.
    func groups(
        among fields: [Field],
        _ format: RowBuffer.Format,
        on connection: Connection
    ) throws(PostgresError) -> [Group] {
        let present = Set(fields.flatMap(\.columns).map(\.number))
        let conditions = conditions().filter { $0.columns.allSatisfy(present.contains) }
        var groups: [Group] = []
        for (members, all) in connected(conditions, fields) {
            let rows = try CheckedRows(
                members.map { fields[$0] },
                of: table,
                all.map { ($0.name, $0.sql) },
                number: groups.count + 1,
                // Rows that are there already may have each value that is tried for a long time.
                patience: isEmpty ? 20 : 2000,
                format,
                seed: wish.seed &+ UInt64(groups.count) &+ 1,
                on: connection
            )
            if all.allSatisfy(\.isUnderstood), try rows.allPass(of: min(1000, self.rows)) {
                try rows.remove()
                continue
            }
            groups.append(Group(fields: members, rows: rows))
        }
        return groups
    }

    private func conditions() -> [Condition] {
        var conditions: [Condition] = []
        let all = table.columns.map(\.number)
        for check in table.checks where check.kind != .partition {
            var text = check.expression
            if check.kind == .domain, let column = check.columns.first.flatMap({ table.column($0) }) {
                text = CheckExpression.text(text, ofDomainOf: column.name)
            }
            let given = check.columns.contains { number in
                table.column(number).map { wish.values[$0.name] != nil } ?? false
            }
            conditions.append(
                Condition(
                    name: "check \"\(check.name)\"",
                    columns: check.columns.isEmpty ? all : check.columns,
                    sql: SQL(trusting: text),
                    isUnderstood: !given && CheckExpression(check.expression).isUnderstood
                )
            )
        }
        let partitions = table.checks.filter { $0.kind == .partition }
        if let first = partitions.first {
            conditions.append(
                Condition(
                    name: "a partition that takes the row",
                    columns: first.columns.isEmpty || first.columns.contains(0) ? all : first.columns,
                    sql: .joined(partitions.map { SQL(trusting: "(\($0.expression))") }, separator: " OR "),
                    isUnderstood: false
                )
            )
        }
        return conditions + (isEmpty ? [] : table.keys.compactMap(isNew))
    }

    /// That no row of the table has a key yet.
    private func isNew(_ key: TableShape.Key) -> Condition? {
        guard !key.columns.isEmpty, key.definitions.count == key.operators.count,
            // Keys that are taken from another table are those that this one does not have.
            !table.references.contains(where: { Set($0.columns) == Set(key.columns) && $0.referenced != table.oid })
        else { return nil }
        let definitions = key.definitions.map { SQL(trusting: $0) }
        // Names that no column has, as what stands inside the parentheses is looked for there first.
        let names = definitions.indices.map { Identifier(table.freeName("martlet_key_\($0)")) }
        let inner = zip(definitions, names).map { "\($0) AS \($1)" as SQL }
        let same = definitions.indices.map { number in
            "t.\(names[number]) \(SQL(trusting: key.operators[number])) (\(definitions[number]))" as SQL
        }
        return Condition(
            name: "key \"\(key.name)\", which no row may have yet",
            columns: key.columns,
            sql: """
                NOT EXISTS (SELECT FROM (SELECT \(.joined(inner)) FROM \(table.name)) AS t \
                WHERE \(.joined(same, separator: " AND ")))
                """,
            isUnderstood: false
        )
    }

    /// Conditions with the fields that they are about; those that share a field are together, and so are the columns of a
    /// key, which count the rows together.
    private func connected(_ conditions: [Condition], _ fields: [Field]) -> [(fields: [Int], conditions: [Condition])] {
        func members(_ columns: [Int]) -> Set<Int> {
            Set(fields.indices.filter { place in fields[place].columns.contains { columns.contains($0.number) } })
        }
        let own = table.references.filter { $0.referenced == table.oid }.map { $0.columns + $0.referencedColumns }
        var groups = (table.keys.map(\.columns) + own).map { (fields: members($0), conditions: [Condition]()) }
        groups += conditions.map { (fields: members($0.columns), conditions: [$0]) }
        var joined: [(fields: Set<Int>, conditions: [Condition])] = []
        for group in groups {
            let touching = joined.indices.filter { !joined[$0].fields.isDisjoint(with: group.fields) }
            let all = touching.reduce(group) {
                ($0.fields.union(joined[$1].fields), joined[$1].conditions + $0.conditions)
            }
            for place in touching.reversed() { joined.remove(at: place) }
            joined.append(all)
        }
        return joined.filter { !$0.conditions.isEmpty }.map { ($0.fields.sorted(), $0.conditions) }
    }
}
