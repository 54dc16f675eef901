import Postgres

/// Foreign keys: to other tables, to themselves, in circles, to and from partitioned tables.
extension RandomSchemaBuilder {
    mutating func makeReferences() {
        let parents = tables.indices.filter { place in
            let table = tables[place]
            return table.key != .none && !table.isDeferrable && !table.isUnlogged
                && !table.identity.contains { $0.type.isRequired || !$0.type.isReferable }
        }
        guard !parents.isEmpty else { return }
        for _ in 0..<random.int(1...5) {
            let children = tables.indices.filter {
                !tables[$0].isFixed && !tables[$0].hasChildren && !tables[$0].isUnlogged && !tables[$0].columns.isEmpty
            }
            guard let child = children.randomElement(using: &random) else { return }
            let parent = random.pick(parents)
            makeReference(from: child, to: parent)
            if random.chance(20), children.contains(parent), parents.contains(child) {
                makeReference(from: parent, to: child)
            }
        }
    }

    private mutating func makeReference(from child: Int, to parent: Int) {
        let referenced = tables[parent]
        let identity = referenced.identity
        var columns: [RandomColumn] = []
        for (place, key) in identity.enumerated() {
            let name = Identifier("ref \(tables[child].columns.count + place)")
            var column = RandomColumn(name: name, type: key.type, role: .reference(to: key.name, of: referenced.name))
            column.definition = key.definition.text.contains("COLLATE") ? key.definition : ""
            add("ALTER TABLE \(tables[child].name) ADD COLUMN \(name) \(key.type.sql)\(column.definition)")
            columns.append(column)
        }
        let names = SQL.joined(columns.map { "\($0.name)" })
        let keys = SQL.joined(identity.map { "\(Identifier("the parent")).\($0.name)" })
        let only: SQL = referenced.isPartitioned ? "" : "ONLY "
        add(
            """
            UPDATE \(tables[child].name) AS "the child" SET (\(names)) = (SELECT \(keys) FROM \(only)\(referenced.name) AS "the parent" \
            ORDER BY md5(("the parent".*)::text || ("the child".*)::text) LIMIT 1)
            """
        )
        tables[child].columns += columns
        addForeignKey(columns, from: tables[child], to: referenced)
    }

    private mutating func addForeignKey(_ columns: [RandomColumn], from child: RandomTable, to parent: RandomTable) {
        let actions: [SQL] = ["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"]
        var definition: SQL = """
            FOREIGN KEY (\(.joined(columns.map { "\($0.name)" }))) \
            REFERENCES \(parent.name) (\(.joined(parent.identity.map { "\($0.name)" })))
            """
        if random.chance(20) { definition = definition + " MATCH FULL" }
        definition = definition + " ON DELETE \(random.pick(actions)) ON UPDATE \(random.pick(actions))"
        if random.chance(40) {
            definition = definition + " DEFERRABLE" + (random.chance(50) ? " INITIALLY DEFERRED" : "")
        }
        let isNotValid = !child.isPartitioned && !parent.isPartitioned && random.chance(25)
        if isNotValid {
            // A row that refers to nothing, as databases have it whose owners wrote NOT VALID.
            let orphan = columns.map { "\($0.name) = \($0.fixed("29999"))" as SQL }
            add("UPDATE \(child.name) SET \(.joined(orphan)) WHERE ctid = (SELECT min(ctid) FROM ONLY \(child.name))")
        }
        let name = newName("fk", in: Identifier(child.name.schema)).identifier
        add("ALTER TABLE \(child.name) ADD CONSTRAINT \(name) \(definition)\(isNotValid ? " NOT VALID" : "" as SQL)")
    }
}
