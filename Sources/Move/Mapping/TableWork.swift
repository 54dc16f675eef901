import Catalog
import Postgres
import Sync

/// Applies the rules to one table, of its partitions the root.
struct TableWork {
    let table: Table
    let schema: Schema
    /// The rules that are about it, the one with the lowest number first.
    let rules: [MappingRule]

    var mapped: MappedTable
    var problems: [MappingProblem] = []
    private(set) var used: Set<Int> = []

    init(_ table: Table, schema: Schema, rules: [MappingRule]) {
        self.table = table
        self.schema = schema
        self.rules = rules.filter { $0.isAbout(table.name) }
        mapped = MappedTable(oid: table.oid, map: TableMap(table.name))
    }

    /// Which rows, and when.
    mutating func choose(_ includes: [MappingRule]) {
        var filters: [(rule: MappingRule, filters: [RowFilter])] = []
        for rule in includes {
            guard case .include(let some, let order) = rule.action else { continue }
            filters.append((rule, some))
            mapped.order = mapped.order ?? order
        }
        guard let first = filters.first else { return }
        if let other = filters.first(where: { $0.filters != first.filters }) {
            refuse(
                "\(first.rule.title) and \(other.rule.title) both select table \"\(table.name)\", with different filters",
                "Say in one rule which rows are moved."
            )
        }
        for filter in first.filters {
            guard let column = column(filter.column) else {
                refuse(
                    "\(first.rule.title) filters table \"\(table.name)\" by column \"\(filter.column)\"",
                    "It has none."
                )
                continue
            }
            mapped.filtered.insert(column.identifier)
        }
        mapped.map.filter = RowFilter.sql(first.filters)
        if let filter = mapped.map.filter {
            mapped.story.append("has only rows where \(filter.text) (\(first.rule.title))")
        }
    }

    /// Its columns, their values, and its key.
    mutating func shape() {
        removeColumns()
        for column in table.columns where !mapped.map.left.contains(column.identifier) {
            rename(column)
            change(column)
        }
        addColumns()
        checkColumns()
        defineKey()
    }

    // MARK: What the parts share

    mutating func refuse(_ message: String, _ detail: String? = nil) {
        problems.append(MappingProblem(message, detail: detail))
    }

    func column(_ name: String) -> Column? { table.columns.first { $0.identifier == Identifier(name) } }

    /// The first rule for which `extract` finds something; the others do not count, and that is said.
    mutating func first<Found>(
        for column: Column?,
        what: String,
        _ extract: (MappingRule.Action) -> Found?
    ) -> (rule: MappingRule, found: Found)? {
        let found = rules.compactMap { rule -> (rule: MappingRule, found: Found)? in
            if let column, rule.column?.matches(column.name) != true { return nil }
            return extract(rule.action).map { (rule, $0) }
        }
        used.formUnion(found.map(\.rule.id))
        guard let winner = found.first else { return nil }
        for loser in found.dropFirst() {
            mapped.story.append("\(loser.rule.title) does not count for \(what): \(winner.rule.title) comes first")
        }
        return winner
    }

    // MARK: Columns

    private mutating func removeColumns() {
        var unsaid: [String] = []
        var includes: MappingRule?
        for column in table.columns {
            let choice = first(for: column, what: "column \"\(column.name)\"") { action -> Bool? in
                switch action {
                case .removeColumn: true
                case .includeColumn: false
                default: nil
                }
            }
            guard let choice else {
                unsaid.append(column.name)
                continue
            }
            guard choice.found else {
                includes = includes ?? choice.rule
                continue
            }
            mapped.removed.append((column.identifier, column.number))
            mapped.map.left.insert(column.identifier)
            mapped.story.append("is without column \"\(column.name)\" (\(choice.rule.title))")
            if let index = table.identityIndex ?? table.primaryKey, index.key.contains(column.number) {
                refuse(
                    "\(choice.rule.title) removes column \"\(column.name)\" of table \"\(table.name)\", which names its rows",
                    "It is part of the primary key or the replica identity."
                )
            }
        }
        if let includes, !unsaid.isEmpty {
            refuse(
                "\(includes.title) includes columns of table \"\(table.name)\", and no rule says what becomes of the others",
                "They are \(Finding.list(unsaid)). Add a rule that removes columns \"%\", with a higher number."
            )
        }
        if !table.columns.isEmpty, mapped.removed.count == table.columns.count {
            refuse("the mapping removes every column of table \"\(table.name)\"", "Exclude the table instead.")
        }
    }

    private mutating func rename(_ column: Column) {
        let choice = first(for: column, what: "the name of column \"\(column.name)\"") { action in
            if case .rename(.column, let renaming) = action { renaming } else { nil }
        }
        guard let choice else { return }
        let name = choice.found.name(for: column.name)
        guard Identifier(name) != column.identifier else { return }
        mapped.map.names[column.identifier] = Identifier(name)
        mapped.story.append("column \"\(column.name)\" is called \"\(name)\" (\(choice.rule.title))")
    }

    private mutating func addColumns() {
        let additions = rules.compactMap { rule -> (MappingRule, String, MappedType, String?)? in
            guard case .addColumn(let name, let type, let expression) = rule.action else { return nil }
            return (rule, name, type, expression)
        }
        used.formUnion(additions.map(\.0.id))
        for (rule, name, type, text) in additions {
            guard let declared = type.sql?.declared else { continue }
            guard !mapped.added.contains(where: { $0.name == Identifier(name) }) else {
                mapped.story.append("\(rule.title) does not count: a rule before it adds column \"\(name)\"")
                continue
            }
            do throws(PostgresError) {
                let expression = try text.map { text throws(PostgresError) in
                    try ColumnExpression(text, of: table, removed: mapped.map.left).sql
                }
                mapped.added.append(MappedTable.Added(name: Identifier(name), type: declared, expression: expression))
                mapped.map.added.insert(Identifier(name))
                let content = expression.map { "computed as \($0.text)" } ?? "null"
                mapped.story.append("has a column \"\(name)\" of type \(declared.text), \(content) (\(rule.title))")
            } catch {
                refuse(
                    "\(rule.title) adds column \"\(name)\" to table \"\(table.name)\": \(error.message)",
                    error.detail
                )
            }
        }
    }

    private mutating func checkColumns() {
        let names = table.columns.filter { !mapped.map.left.contains($0.identifier) }.map {
            mapped.map.target($0.identifier)
        }
        let twice = Dictionary(grouping: names + mapped.added.map(\.name), by: \.self).filter { $0.value.count > 1 }
        for name in twice.keys.map(\.name).sorted() {
            refuse("the mapping gives table \"\(table.name)\" two columns \"\(name)\"")
        }
        let isShaped = !mapped.map.left.isEmpty || !mapped.map.names.isEmpty || !mapped.added.isEmpty
        if isShaped || !mapped.map.changes.isEmpty, table.hasChildren, table.kind == .ordinary {
            refuse(
                "the mapping changes columns of table \"\(table.name)\", from which others inherit",
                "Leave its columns as they are: they are the columns of the other tables, too."
            )
        }
    }

    private mutating func defineKey() {
        let name = table.name.name
        let choice = first(for: nil, what: "the key") { action -> MappedTable.Key? in
            guard case .definePrimaryKey(let given, let columns, let isUniqueIndex) = action else { return nil }
            let word = isUniqueIndex ? "unique" : "pkey"
            return MappedTable.Key(
                name: Identifier(given ?? "\(name)_\(word)"),
                columns: columns.map { Identifier($0) },
                isUniqueIndex: isUniqueIndex
            )
        }
        guard let (rule, key) = choice else { return }
        let columns = key.columns.compactMap { name in table.columns.first { $0.identifier == name } }
        guard columns.count == key.columns.count, !columns.contains(where: { mapped.map.left.contains($0.identifier) })
        else {
            return refuse(
                "\(rule.title) defines a key of table \"\(table.name)\" by columns that it does not have on the target",
                "They are \(Finding.list(key.columns.map(\.name)))."
            )
        }
        let existing = key.isUniqueIndex ? nil : table.primaryKey
        if let existing {
            guard Set(existing.key) == Set(columns.map(\.number)) else {
                return refuse(
                    "\(rule.title) defines a primary key of table \"\(table.name)\", which has another one",
                    "Change the key on one of the servers by yourself, or define a unique index (\"origin\")."
                )
            }
            return mapped.story.append("has that primary key already (\(rule.title))")
        }
        mapped.key = MappedTable.Key(
            name: key.name,
            columns: columns.map { mapped.map.target($0.identifier) },
            isUniqueIndex: key.isUniqueIndex
        )
        mapped.map.keyed = Set(key.columns)
        let what = key.isUniqueIndex ? "unique index" : "primary key"
        mapped.story.append("has a \(what) \"\(key.name.name)\" (\(rule.title))")
    }
}
