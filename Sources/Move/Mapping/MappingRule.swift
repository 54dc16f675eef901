/// One rule of a mapping file.
struct MappingRule: Sendable, Hashable {
    /// Its number; where two rules say something about the same, the lower number wins.
    let id: Int
    /// What people call it.
    let name: String
    let action: Action

    /// What the rule is about.
    let schema: NamePattern
    let table: NamePattern
    let column: NamePattern?

    enum Action: Sendable, Hashable {
        /// Chooses tables, some of their rows, and in which order they are copied.
        case include(filters: [RowFilter], order: Int?)
        case exclude
        /// Gives schemas, tables or columns other names.
        case rename(Target, Renaming)
        case removeColumn
        case includeColumn
        case addColumn(name: String, type: MappedType, expression: String?)
        case changeType(MappedType)
        case mask(Mask)
        case definePrimaryKey(name: String?, columns: [String], isUniqueIndex: Bool)
        /// Tunes what martlet does by itself: nothing but an answer.
        case tuning([TaskSetting])
    }

    enum Target: String, Sendable, Hashable {
        case schema, table, column
    }

    enum Mask: Sendable, Hashable {
        case hash
        case digits(Character)
    }

    /// How a name becomes another one.
    enum Renaming: Sendable, Hashable {
        case to(String)
        case lowercase, uppercase
        case addPrefix(String), removePrefix(String), replacePrefix(String, with: String)
        case addSuffix(String), removeSuffix(String), replaceSuffix(String, with: String)

        /// The new name; the old one when there is nothing to be removed or replaced.
        func name(for old: String) -> String {
            switch self {
            case .to(let new): new
            case .lowercase: old.lowercased()
            case .uppercase: old.uppercased()
            case .addPrefix(let prefix): prefix + old
            case .removePrefix(let prefix): Self.cut(prefix: prefix, of: old) ?? old
            case .replacePrefix(let prefix, let new): Self.cut(prefix: prefix, of: old).map { new + $0 } ?? old
            case .addSuffix(let suffix): old + suffix
            case .removeSuffix(let suffix): Self.cut(suffix: suffix, of: old) ?? old
            case .replaceSuffix(let suffix, let new): Self.cut(suffix: suffix, of: old).map { $0 + new } ?? old
            }
        }

        private static func cut(prefix: String, of name: String) -> String? {
            let (scalars, wanted) = (name.unicodeScalars, prefix.unicodeScalars)
            guard scalars.starts(with: wanted) else { return nil }
            return String(String.UnicodeScalarView(scalars.dropFirst(wanted.count)))
        }

        private static func cut(suffix: String, of name: String) -> String? {
            let (scalars, wanted) = (name.unicodeScalars, suffix.unicodeScalars)
            guard scalars.reversed().starts(with: wanted.reversed()) else { return nil }
            return String(String.UnicodeScalarView(scalars.dropLast(wanted.count)))
        }
    }

    /// Whether it keeps values of tables that are moved from the target.
    var withholds: Bool {
        switch action {
        case .mask, .removeColumn: true
        case .include(let filters, _): !filters.isEmpty
        default: false
        }
    }

    /// How messages call it.
    var title: String { name.isEmpty || name == String(id) ? "rule \(id)" : "rule \(id) (\"\(name)\")" }
}
