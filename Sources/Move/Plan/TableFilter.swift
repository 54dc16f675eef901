public import Postgres

/// Which tables are moved: those that a pattern includes, less those that a pattern excludes.
///
/// A pattern is `table` or `schema.table`; `*` stands for any characters, `?` for one. A part in
/// double quotes is taken as it is written, dots and stars too. Without a schema the pattern is
/// for every schema. Letters count as they are: `Orders` is another table than `orders`.
public struct TableFilter: Sendable, Hashable {
    /// A pattern of a table's name.
    public struct Pattern: Sendable, Hashable {
        /// As the operator wrote it.
        let text: String
        private let schema: Wildcards?
        private let name: Wildcards

        /// Reads a pattern.
        ///
        /// - Throws: when there is nothing in it, when a quote is open, or when it has more than two parts.
        public init(_ text: String) throws(PostgresError) {
            var parts = [Wildcards()]
            var isQuoted = false
            // A quote right after a closing one stands for itself, as in SQL.
            var hasJustClosed = false
            for scalar in text.unicodeScalars {
                if scalar == "\"" {
                    if hasJustClosed { parts[parts.count - 1].steps.append(.exactly("\"")) }
                    hasJustClosed = isQuoted
                    isQuoted.toggle()
                    continue
                }
                hasJustClosed = false
                if scalar == ".", !isQuoted {
                    parts.append(Wildcards())
                } else {
                    parts[parts.count - 1].steps.append(Self.step(scalar, isQuoted: isQuoted))
                }
            }
            guard !isQuoted, parts.count <= 2, parts.allSatisfy({ !$0.steps.isEmpty }) else {
                throw PostgresError(
                    "could not understand the table pattern \"\(text)\"",
                    hint: "Write table or schema.table; * stands for any characters, ? for one, and a part that has "
                        + "dots of its own goes in double quotes."
                )
            }
            self.text = text
            schema = parts.count == 2 ? parts[0] : nil
            name = parts[parts.count - 1]
        }

        /// Whether a table's name is as the pattern says.
        public func matches(_ table: QualifiedName) -> Bool {
            schema?.matches(table.schema) != false && name.matches(table.name)
        }

        private static func step(_ scalar: Unicode.Scalar, isQuoted: Bool) -> Wildcards.Step {
            switch scalar {
            case "*" where !isQuoted: .any
            case "?" where !isQuoted: .one
            default: .exactly(scalar)
            }
        }
    }

    /// What is moved; nothing here means every table.
    public let include: [Pattern]
    /// What is not moved, whatever else is said.
    public let exclude: [Pattern]

    /// Every table.
    public static let all = TableFilter(include: [], exclude: [])

    /// Makes a filter of patterns.
    public init(include: [Pattern], exclude: [Pattern]) {
        self.include = include
        self.exclude = exclude
    }

    /// Makes a filter of patterns as the operator wrote them.
    ///
    /// - Throws: when one of them cannot be understood.
    public init(including include: [String], excluding exclude: [String]) throws(PostgresError) {
        self.include = try include.map { text throws(PostgresError) in try Pattern(text) }
        self.exclude = try exclude.map { text throws(PostgresError) in try Pattern(text) }
    }

    /// Whether a table is moved.
    public func selects(_ name: QualifiedName) -> Bool {
        if exclude.contains(where: { $0.matches(name) }) { return false }
        return include.isEmpty || include.contains { $0.matches(name) }
    }
}
