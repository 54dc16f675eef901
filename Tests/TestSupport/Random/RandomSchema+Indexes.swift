import Postgres

/// Indexes of every access method.
extension RandomSchemaBuilder {
    mutating func makeIndexes() {
        for table in tables {
            for _ in 0..<random.int(0...3) { makeIndex(on: table) }
        }
    }

    private mutating func makeIndex(on table: RandomTable) {
        guard let column = table.columns.filter({ isStored($0) }).randomElement(using: &random) else { return }
        let allowed = column.type.indexes.filter {
            !column.type.isLarge || $0 == .hash || column.type.sql == "jsonb" && $0 == .gin
        }
        // In an order that does not differ from run to run, as a set's does.
        let methods = [RandomType.Access.btree, .hash, .gist, .gin, .spgist, .brin].filter(allowed.contains)
        let name = newName("ix", in: Identifier(table.name.schema)).identifier
        let predicate: SQL = random.chance(20) ? " WHERE \(column.name) IS NOT NULL" : ""
        guard let method = methods.randomElement(using: &random), random.chance(80) else {
            let expression: SQL =
                immutables.isEmpty || random.chance(50)
                ? "(\(column.name) IS NULL)" : "\(random.pick(immutables))((\(column.name) IS NULL)::int4::int8)"
            return add("CREATE INDEX \(name) ON \(table.name) (\(expression))\(predicate)")
        }
        switch method {
        case .btree: makeTree(name, on: table, column, predicate)
        case .hash: add("CREATE INDEX \(name) ON \(table.name) USING hash (\(column.name))\(predicate)")
        case .gist: add("CREATE INDEX \(name) ON \(table.name) USING gist (\(column.name))\(predicate)")
        case .gin:
            add("CREATE INDEX \(name) ON \(table.name) USING gin (\(column.name)) WITH (fastupdate = off)\(predicate)")
        case .spgist: add("CREATE INDEX \(name) ON \(table.name) USING spgist (\(column.name))\(predicate)")
        case .brin:
            add(
                "CREATE INDEX \(name) ON \(table.name) USING brin (\(column.name)) WITH (pages_per_range = 2)\(predicate)"
            )
        }
    }

    private mutating func makeTree(_ name: Identifier, on table: RandomTable, _ column: RandomColumn, _ predicate: SQL)
    {
        var part: SQL = "\(column.name)"
        if column.type.sql == "text", random.chance(40) {
            part = part + " COLLATE \(random.pick(collations.prefix(2)))"
            if random.chance(50) { part = part + " text_pattern_ops" }
        }
        part = part + random.pick(["", " DESC", " DESC NULLS LAST", " NULLS FIRST"] as [SQL])
        let other = table.columns.filter { $0.type.indexes.contains(.btree) && !$0.type.isLarge && isStored($0) }
            .randomElement(using: &random)
        var more: SQL = ""
        if let other, other.name != column.name {
            if random.chance(50) { part = "\(part), \(other.name)" } else { more = " INCLUDE (\(other.name))" }
        }
        let options: SQL = random.chance(20) ? " WITH (fillfactor = 50, deduplicate_items = off)" : ""
        let only: SQL = table.isPartitioned && random.chance(15) ? "ONLY " : ""
        add("CREATE INDEX \(name) ON \(only)\(table.name) (\(part))\(more)\(options)\(predicate)")
        if !table.isPartitioned, more.text.isEmpty, predicate.text.isEmpty, random.chance(10) {
            add("ALTER TABLE \(table.name) CLUSTER ON \(name)")
        }
    }

    /// A virtual column cannot be indexed.
    private func isStored(_ column: RandomColumn) -> Bool { !column.definition.text.hasSuffix("VIRTUAL") }
}
