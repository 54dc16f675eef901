import Postgres

/// Tables that belong together: partitions and inheritance.
extension RandomSchemaBuilder {
    private enum Strategy: CaseIterable { case range, list, hash }

    mutating func makePartitioned() {
        var table = RandomTable(name: newName("p"), columns: [])
        table.isPartitioned = true
        var taken = HostileNames()
        let strategy = random.pick(Strategy.allCases)
        table.columns = keyColumns(random.int(0...1), &taken)
        for place in table.columns.indices where table.columns[place].identity != .none {
            (table.columns[place].identity, table.columns[place].definition) = (.none, "")
        }
        table.key = table.columns.isEmpty ? .none : random.chance(80) ? .primary : .index
        let candidates = types.filter {
            guard $0.number != nil, !$0.isRequired else { return false }
            return switch strategy {
            case .range: $0.isOrdered && $0.indexes.contains(.btree)
            case .list: $0.indexes.isSuperset(of: [.btree, .hash]) && $0.sql != "boolean" && $0.sql != "money"
            case .hash: $0.indexes.contains(.hash)
            }
        }
        let values = strategy == .list ? 4 : 40
        var part = RandomColumn(
            name: taken.name("part", &random),
            type: random.pick(candidates),
            role: .partition(values: values)
        )
        part.isNotNull = table.key == .primary || random.chance(50)
        table.columns.append(part)
        addValues(random.int(1...6), to: &table, &taken)
        table.columns.shuffle(using: &random)
        let word: SQL = strategy == .range ? "RANGE" : strategy == .list ? "LIST" : "HASH"
        create(table, &taken, suffix: " PARTITION BY \(word) (\(part.name))")
        let isKeyFirst = random.chance(50)
        if isKeyFirst { addKey(to: table) }
        makePartitions(of: table, by: part, strategy, &taken)
        if !isKeyFirst { addKey(to: table) }
        addUniques(to: table)
        tables.append(table)
    }

    private func bounds(_ strategy: Strategy, _ part: RandomColumn) -> [SQL] {
        func value(_ number: Int) -> SQL { part.value(for: "\(number)", salt: 0) }
        switch strategy {
        case .range:
            return [
                "FOR VALUES FROM (MINVALUE) TO (\(value(10)))", "FOR VALUES FROM (\(value(10))) TO (\(value(20)))",
                "FOR VALUES FROM (\(value(20))) TO (\(value(30)))", "DEFAULT",
            ]
        case .list: return ["FOR VALUES IN (\(value(0)))", "FOR VALUES IN (\(value(1)), \(value(2)))", "DEFAULT"]
        case .hash:
            return ["(MODULUS 2, REMAINDER 0)", "(MODULUS 4, REMAINDER 1)", "(MODULUS 4, REMAINDER 3)"]
                .map { "FOR VALUES WITH \(SQL(trusting: $0))" }
        }
    }

    private mutating func makePartitions(
        of table: RandomTable,
        by part: RandomColumn,
        _ strategy: Strategy,
        _ taken: inout HostileNames
    ) {
        let bounds = bounds(strategy, part)
        let split = random.chance(40) ? random.int(0...bounds.count - 1) : -1
        for (place, bound) in bounds.enumerated() {
            let leaf = newName("leaf")
            if place == split {
                let column = table.columns.first { $0.isKey && $0.type.indexes.contains(.hash) } ?? part
                guard column.type.indexes.contains(.hash) else { continue }
                add("CREATE TABLE \(leaf) PARTITION OF \(table.name) \(bound) PARTITION BY HASH (\(column.name))")
                for remainder in 0..<2 {
                    let below = newName("leaf")
                    add(
                        "CREATE TABLE \(below) PARTITION OF \(leaf) FOR VALUES WITH (MODULUS 2, REMAINDER \(remainder))"
                    )
                }
            } else if random.chance(40) {
                attach(leaf, to: table, bound, &taken)
            } else {
                add("CREATE TABLE \(leaf) PARTITION OF \(table.name) \(bound)")
            }
            if place != split, random.chance(30),
                let column = table.columns.first(where: { $0.type.indexes.contains(.hash) })
            {
                add("CREATE INDEX ON \(leaf) USING hash (\(column.name))")
            }
        }
    }

    /// A table with its columns in another order, and with a dropped one, becomes a partition.
    private mutating func attach(
        _ leaf: QualifiedName,
        to table: RandomTable,
        _ bound: SQL,
        _ taken: inout HostileNames
    ) {
        let gone = taken.name("gone", &random)
        var definitions = table.columns.map { column in
            "\(column.name) \(column.type.sql)\(column.definition)\(column.isNotNull ? " NOT NULL" : "" as SQL)" as SQL
        }
        definitions.append("\(gone) text")
        definitions.shuffle(using: &random)
        add("CREATE TABLE \(leaf) (\(.joined(definitions)))")
        add("ALTER TABLE \(leaf) DROP COLUMN \(gone)")
        add("ALTER TABLE \(table.name) ATTACH PARTITION \(leaf) \(bound)")
    }

    /// One table that inherits from two.
    mutating func makeInheritance() {
        var taken = HostileNames()
        var parents: [RandomTable] = []
        for _ in 0..<random.int(1...2) {
            var parent = RandomTable(name: newName("parent"), columns: [])
            parent.columns = keyColumns(1, &taken)
            parent.key = .primary
            addValues(random.int(0...3), to: &parent, &taken)
            create(parent, &taken)
            addKey(to: parent)
            parent.hasChildren = true
            parents.append(parent)
        }
        for _ in 0..<random.int(1...2) {
            var child = RandomTable(name: newName("child"), columns: [])
            child.key = .primary
            addValues(random.int(0...3), to: &child, &taken)
            let own = child.columns.map {
                "\($0.name) \($0.type.sql)\($0.definition)\($0.isNotNull ? " NOT NULL" : "" as SQL)" as SQL
            }
            let names = parents.map { "\($0.name)" as SQL }
            add("CREATE TABLE \(child.name) (\(.joined(own))) INHERITS (\(.joined(names)))")
            child.columns = parents.flatMap(\.columns) + child.columns
            for place in child.columns.indices { child.columns[place].identity = .none }
            addKey(to: child)
            addUniques(to: child)
            tables.append(child)
        }
        tables += parents
    }
}
