import Postgres

/// Rows, and what was done to a table after it got some.
extension RandomSchemaBuilder {
    mutating func makeRows() {
        for place in tables.indices {
            let count = random.pick([0, 3, 25, 40, 150])
            if tables[place].rows == 0 { tables[place].rows = count }
            let table = tables[place]
            guard table.rows > 0 else { continue }
            let salt = random.int(0...1000)
            let last = table.writable.isEmpty ? 1 : table.rows
            add(table.insertion(from: 1, to: last, salt: salt))
            // Rows that nothing tells from others.
            let isUnique = table.columns.contains { column in
                if case .unique = column.role { return true }
                return column.isKey
            }
            if !isUnique { add(table.insertion(from: 1, to: min(last, 10), salt: salt)) }
            if random.chance(15), !table.isFixed, !table.isPartitioned, !table.hasChildren { addLateColumn(to: place) }
        }
    }

    /// A column whose default the rows have without having been written again.
    private mutating func addLateColumn(to place: Int) {
        let type = random.pick(types.filter { !$0.isRequired })
        let stem = newName("late").name
        var column = RandomColumn(name: Identifier(String("late \(stem)".prefix(20))), type: type, role: .value)
        guard !tables[place].columns.contains(where: { $0.name == column.name }) else { return }
        column.hasDefault = true
        let value = type.samples.first { !$0.text.contains("SELECT") } ?? "NULL"
        add("ALTER TABLE \(tables[place].name) ADD COLUMN \(column.name) \(type.sql) DEFAULT \(value)")
        tables[place].columns.append(column)
    }

    /// Row versions that nobody sees any more.
    mutating func makeBloat() {
        for table in tables where !table.isInsertOnly && random.chance(40) {
            guard let column = table.columns.first(where: \.isPlain) else { continue }
            for _ in 0..<random.int(1...3) { add("UPDATE \(table.name) SET \(column.name) = \(column.name)") }
        }
        add("ANALYZE")
    }
}
