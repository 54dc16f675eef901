import Catalog
import Postgres
import Sync

/// Other types, and masks.
extension TableWork {
    mutating func change(_ column: Column) {
        let type = first(for: column, what: "the type of column \"\(column.name)\"") { action in
            if case .changeType(let type) = action { type } else { nil }
        }
        let mask = first(for: column, what: "the mask of column \"\(column.name)\"") { action in
            if case .mask(let mask) = action { mask } else { nil }
        }
        let changed = type.flatMap { type in type.found.sql.map { (type.rule, type.found, $0) } }
        let isOther = changed.map { $0.2.declared.text != column.declaredType } ?? false
        guard isOther || mask != nil, let rule = (mask?.rule ?? type?.rule) else { return }
        guard !column.isGenerated else {
            return refuse(
                "\(rule.title) changes column \"\(column.name)\" of table \"\(table.name)\", which the server computes"
            )
        }
        let source = SQL(trusting: column.declaredType)
        let target = changed?.2 ?? (declared: source, plain: Self.withoutModifiers(column))
        if let mask { check(mask.found, mask.rule, column, room: changed.map { $0.1.room }) }
        if isOther, let rule = changed?.0 { checkType(rule, column) }
        mapped.map.changes[column.identifier] = ValueChange(
            sourceType: source,
            targetType: target.declared,
            plainTargetType: target.plain,
            mask: mask.map { mask in
                switch mask.found {
                case .hash: .hash
                case .digits(let character): .digits(character)
                }
            }
        )
        if isOther, let (rule, _, sql) = changed {
            mapped.story.append("column \"\(column.name)\" is of type \(sql.declared.text) (\(rule.title))")
        }
        if let mask { mapped.story.append("column \"\(column.name)\" is masked (\(mask.rule.title))") }
    }

    private static func withoutModifiers(_ column: Column) -> SQL {
        column.type.name.schema == "pg_catalog"
            ? "pg_catalog.\(Identifier(column.type.name.name))" : "\(column.type.name)"
    }

    // MARK: Masks

    /// `room`: how many characters the column has room for when its type is changed; nil when it is not.
    private mutating func check(_ mask: MappingRule.Mask, _ rule: MappingRule, _ column: Column, room: Int??) {
        let what = "\(rule.title) masks column \"\(column.name)\" of table \"\(table.name)\""
        let type = column.type.name
        let isText =
            type.schema == "pg_catalog" && ["text", "varchar", "bpchar"].contains(type.name) || type.name == "citext"
        guard isText else {
            return refuse("\(what), which is of type \(column.declaredType)", "Only texts are masked.")
        }
        if case .digits = mask, table.indexes.contains(where: { $0.isUnique && $0.key.contains(column.number) }) {
            refuse("\(what), which is in a unique index", "Different values may become the same; mask it by a hash.")
        }
        if schema.isInForeignKey(column, of: table) {
            refuse("\(what), which is in a foreign key", "Its values would not be found any more on the other side.")
        }
        if case .hash = mask {
            let characters = room ?? Self.room(column)
            guard let characters, characters >= 64 else {
                return refuse(
                    "\(what) by a hash, which has 64 characters",
                    "Give the column room by a rule with the action change-data-type."
                )
            }
        }
    }

    /// How many characters a column takes; nil when it is no text.
    private static func room(_ column: Column) -> Int? {
        guard let open = column.declaredType.firstIndex(of: "(") else {
            return column.type.name.name == "bpchar" ? 1 : Int.max
        }
        return Int(column.declaredType[column.declaredType.index(after: open)...].prefix { $0.isNumber })
    }

    // MARK: Types

    private mutating func checkType(_ rule: MappingRule, _ column: Column) {
        guard column.type.isReference || column.type.name.name == "bool" else { return }
        refuse(
            "\(rule.title) changes the type of column \"\(column.name)\" of table \"\(table.name)\"",
            "Values of \(column.declaredType) are written in more than one way, and cannot be compared as another type."
        )
    }
}

extension Schema {
    /// Whether a foreign key refers to a column, or by it to another table.
    fileprivate func isInForeignKey(_ column: Column, of table: Table) -> Bool {
        foreignKeys.contains { key in
            key.table == table.oid && key.columns.contains(column.number)
                || key.referenced == table.oid && key.referencedColumns.contains(column.number)
        }
    }
}
