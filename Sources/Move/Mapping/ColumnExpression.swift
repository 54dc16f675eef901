import Catalog
import Postgres

/// What a column that is added is computed from.
///
/// DMS has SQLite compute it for every row. What means exactly the same in PostgreSQL becomes the expression of a
/// generated column, which the target's server computes for the rows of the copy, of the stream and of the
/// application alike:
///
/// - `$COLUMN`, `'text'`, whole numbers, parentheses, `||` between texts and whole numbers, `+`, `-`, `*` between
///   whole numbers;
/// - `upper`, `lower` (of ASCII letters, as in SQLite), `trim`, `ltrim`, `rtrim`, `length`, `replace`, `coalesce`,
///   `ifnull`, and `substr` from a first character counted from the left;
/// - `$AR_M_SOURCE_SCHEMA_NAME` and `$AR_M_SOURCE_TABLE_NAME`.
struct ColumnExpression {
    private enum Kind {
        case text, number
    }

    private enum Token: Hashable {
        case column(String), text(String), number(Int64), word(String), symbol(String)
    }

    private static let lowercase: SQL = "'abcdefghijklmnopqrstuvwxyz'"
    private static let uppercase: SQL = "'ABCDEFGHIJKLMNOPQRSTUVWXYZ'"

    private let table: Table
    private let removed: Set<Identifier>
    private let source: String
    private var rest: ArraySlice<Token> = []

    /// The expression, immutable.
    private(set) var sql: SQL = ""

    /// - Throws: what of it cannot be said in PostgreSQL with the same meaning.
    init(_ text: String, of table: Table, removed: Set<Identifier>) throws(PostgresError) {
        self.table = table
        self.removed = removed
        source = text
        rest = try Self.tokens(text)[...]
        sql = try sum().sql
        guard rest.isEmpty else { throw Self.refusal(text) }
    }

    private static func refusal(_ text: String, _ why: String? = nil) -> PostgresError {
        PostgresError(
            "the expression \(text) cannot be computed",
            detail: (why.map { $0 + " " } ?? "")
                + "docs/guide/mapping.md lists what means the same in SQLite and in PostgreSQL."
        )
    }

    // MARK: Words

    /// Reads Unicode scalars: to Swift a quote and an accent after it are one character, which is no quote.
    private static func tokens(_ text: String) throws(PostgresError) -> [Token] {
        var tokens: [Token] = []
        var rest = text.unicodeScalars[...]
        while let scalar = rest.first {
            if scalar.properties.isWhitespace {
                rest = rest.dropFirst()
            } else if scalar == "'" {
                tokens.append(.text(try quoted(&rest, text)))
            } else if scalar == "$" {
                let name = rest.dropFirst().prefix(while: isWord)
                guard !name.isEmpty else { throw refusal(text) }
                tokens.append(.column(String(name)))
                rest = rest[name.endIndex...]
            } else if isDigit(scalar) {
                let digits = rest.prefix(while: isDigit)
                rest = rest[digits.endIndex...]
                guard let number = Int64(String(digits)), rest.first != "." else { throw refusal(text) }
                tokens.append(.number(number))
            } else if isWord(scalar) {
                let word = rest.prefix(while: isWord)
                tokens.append(.word(String(word).lowercased()))
                rest = rest[word.endIndex...]
            } else if rest.starts(with: "||".unicodeScalars) {
                tokens.append(.symbol("||"))
                rest = rest.dropFirst(2)
            } else if "+-*(),".unicodeScalars.contains(scalar) {
                tokens.append(.symbol(String(scalar)))
                rest = rest.dropFirst()
            } else {
                throw refusal(text, "\"\(scalar)\" is not known.")
            }
        }
        return tokens
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    /// As in SQLite, where whatever is not ASCII may be in a name.
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_": true
        default: !scalar.isASCII && !scalar.properties.isWhitespace
        }
    }

    private static func quoted(
        _ rest: inout Substring.UnicodeScalarView,
        _ text: String
    ) throws(PostgresError) -> String {
        var content = String.UnicodeScalarView()
        rest = rest.dropFirst()
        while let scalar = rest.popFirst() {
            if scalar == "'" {
                guard rest.first == "'" else { return String(content) }
                rest = rest.dropFirst()
            }
            content.append(scalar)
        }
        throw refusal(text, "A quote is open.")
    }

    // MARK: Grammar: a sum of products of concatenations, as in SQLite, where || binds most

    private mutating func take(_ symbol: String) -> Bool {
        guard rest.first == .symbol(symbol) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func sum() throws(PostgresError) -> (sql: SQL, kind: Kind) {
        var left = try product()
        while true {
            if take("+") {
                left = try number(left, "+", product())
            } else if take("-") {
                left = try number(left, "-", product())
            } else {
                return left
            }
        }
    }

    private mutating func product() throws(PostgresError) -> (sql: SQL, kind: Kind) {
        var left = try concatenation()
        while take("*") { left = try number(left, "*", concatenation()) }
        return left
    }

    private func number(
        _ left: (sql: SQL, kind: Kind),
        _ sign: SQL,
        _ right: (sql: SQL, kind: Kind)
    ) throws(PostgresError) -> (sql: SQL, kind: Kind) {
        guard left.kind == .number, right.kind == .number else {
            throw Self.refusal(source, "It calculates with texts.")
        }
        return ("(\(left.sql) \(sign) \(right.sql))", .number)
    }

    private mutating func concatenation() throws(PostgresError) -> (sql: SQL, kind: Kind) {
        var left = try value()
        while take("||") {
            let right = try value()
            left = ("(\(Self.text(left)) || \(Self.text(right)))", .text)
        }
        return left
    }

    private static func text(_ value: (sql: SQL, kind: Kind)) -> SQL {
        value.kind == .text ? value.sql : "(\(value.sql))::text"
    }

    private mutating func value() throws(PostgresError) -> (sql: SQL, kind: Kind) {
        switch rest.popFirst() {
        case .text(let text): return ("\(literal: text)::text", .text)
        case .number(let number): return ("\(number)::bigint", .number)
        case .column(let name): return try column(name)
        case .symbol("("):
            let inner = try sum()
            guard take(")") else { throw Self.refusal(source, "A parenthesis is open.") }
            return ("(\(inner.sql))", inner.kind)
        case .word(let word):
            guard take("(") else { throw Self.refusal(source, "\"\(word)\" is not known.") }
            return try function(word)
        default: throw Self.refusal(source)
        }
    }

    private func column(_ name: String) throws(PostgresError) -> (sql: SQL, kind: Kind) {
        switch name {
        case "AR_M_SOURCE_SCHEMA_NAME": return ("\(literal: table.name.schema)::text", .text)
        case "AR_M_SOURCE_TABLE_NAME": return ("\(literal: table.name.name)::text", .text)
        default: break
        }
        guard let column = table.columns.first(where: { $0.identifier == Identifier(name) }) else {
            let isHeader = name.hasPrefix("AR_")
            throw Self.refusal(
                source,
                isHeader ? "$\(name) is about changes, which a copy has not." : "The table has no column \"\(name)\"."
            )
        }
        guard !removed.contains(column.identifier) else {
            throw Self.refusal(source, "Column \"\(name)\" is removed.")
        }
        guard !column.isGenerated else { throw Self.refusal(source, "Column \"\(name)\" is computed itself.") }
        switch (column.type.name.schema, column.type.name.name) {
        case ("pg_catalog", "text"), ("pg_catalog", "varchar"): return ("\(column.identifier)::text", .text)
        case ("pg_catalog", "int2"), ("pg_catalog", "int4"), ("pg_catalog", "int8"):
            return ("\(column.identifier)::bigint", .number)
        default:
            throw Self.refusal(source, "Column \"\(name)\" is of type \(column.declaredType), not text or integer.")
        }
    }

    /// The last arguments of a function, when each is nothing but a number.
    private static func trailingNumbers(_ tokens: [Token], count: Int) -> [Int64]? {
        let tail = Array(tokens.suffix(2 * count))
        guard tail.count == 2 * count else { return nil }
        var numbers: [Int64] = []
        for place in stride(from: 0, to: tail.count, by: 2) {
            guard tail[place] == .symbol(","), case .number(let number) = tail[place + 1] else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    private mutating func function(_ name: String) throws(PostgresError) -> (sql: SQL, kind: Kind) {
        var arguments: [(sql: SQL, kind: Kind)] = []
        let first = rest
        repeat { arguments.append(try sum()) } while take(",")
        let written = Array(first.prefix(first.count - rest.count))
        guard take(")") else { throw Self.refusal(source, "A parenthesis is open.") }
        let texts = arguments.map(Self.text)
        switch (name, arguments.count) {
        // Not upper(… COLLATE "C"), which a generated column does not take of a constant.
        case ("upper", 1): return ("translate(\(texts[0]), \(Self.lowercase), \(Self.uppercase))", .text)
        case ("lower", 1): return ("translate(\(texts[0]), \(Self.uppercase), \(Self.lowercase))", .text)
        case ("trim", 1): return ("btrim(\(texts[0]))", .text)
        case ("ltrim", 1), ("rtrim", 1): return ("\(SQL(trusting: name))(\(texts[0]))", .text)
        case ("length", 1): return ("length(\(texts[0]))::bigint", .number)
        case ("replace", 3):
            // Before PostgreSQL knows the collation it computes what is constant, and fails.
            let hasColumn = written.contains {
                if case .column(let name) = $0 { !name.hasPrefix("AR_M_") } else { false }
            }
            guard hasColumn else { throw Self.refusal(source, "It replaces in a constant; write the result.") }
            return ("replace(\(.joined(texts)))", .text)
        case ("substr", 2), ("substr", 3), ("substring", 2), ("substring", 3):
            // Written as numbers: what is counted from the end, or before the beginning, differs.
            let bounds = Self.trailingNumbers(written, count: arguments.count - 1)
            guard let bounds, bounds.allSatisfy({ $0 >= 1 && $0 < 1 << 31 }) else {
                throw Self.refusal(source, "\"substr\" takes positions that are written as numbers from 1.")
            }
            return ("substr(\(texts[0]), \(.joined(bounds.map { "\($0)::integer" })))", .text)
        case ("coalesce", 2...), ("ifnull", 2):
            guard Set(arguments.map(\.kind)).count == 1 else {
                throw Self.refusal(source, "It mixes texts and numbers.")
            }
            return ("coalesce(\(.joined(arguments.map(\.sql))))", arguments[0].kind)
        default: throw Self.refusal(source, "The function \"\(name)\" is not known with \(arguments.count) arguments.")
        }
    }
}
