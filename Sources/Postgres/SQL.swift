/// Text that may be sent to a server as SQL.
///
/// A plain `String` is not SQL. The literal parts come from our own source; what is interpolated is
/// an ``Identifier`` or ``QualifiedName`` (quoted), a number, an ``LSN``, a string marked `literal:`
/// (quoted as an SQL string), or other SQL:
///
///     "SELECT count(*) FROM \(table) WHERE \(column) = \(literal: value)"
public struct SQL: Sendable, Hashable {
    /// The statement, or part of one.
    public let text: String

    /// Accepts text that a server or the operator wrote as SQL: a definition read from the catalog, a user's file.
    public init(trusting text: String) {
        self.text = text
    }

    /// Compares bytes, as the server does.
    public static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(Identifier(text)) }

    /// Joins parts with a separator.
    public static func joined(_ parts: some Sequence<SQL>, separator: SQL = ", ") -> SQL {
        SQL(trusting: parts.map(\.text).joined(separator: separator.text))
    }

    /// Joins two parts.
    public static func + (left: SQL, right: SQL) -> SQL {
        SQL(trusting: left.text + right.text)
    }
}

extension SQL: ExpressibleByStringInterpolation {
    /// Accepts a literal of our own source.
    public init(stringLiteral value: String) {
        text = value
    }

    /// Accepts an interpolated literal of our own source.
    public init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
    }

    /// Quotes what is interpolated, by its type.
    public struct StringInterpolation: StringInterpolationProtocol {
        var text = ""

        /// Reserves room for the statement.
        public init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        /// Takes the literal part as it stands.
        public mutating func appendLiteral(_ literal: String) {
            text += literal
        }

        /// Adds other SQL as it stands.
        public mutating func appendInterpolation(_ sql: SQL) {
            text += sql.text
        }

        /// Adds a quoted identifier.
        public mutating func appendInterpolation(_ identifier: Identifier) {
            text += identifier.quoted
        }

        /// Adds a quoted, qualified name.
        public mutating func appendInterpolation(_ name: QualifiedName) {
            text += name.quoted
        }

        /// Adds a whole number; a space keeps a negative one from making a comment of a minus before it.
        public mutating func appendInterpolation(_ number: some BinaryInteger) {
            text += number < 0 ? " \(number)" : "\(number)"
        }

        /// Adds a log sequence number as a quoted literal.
        public mutating func appendInterpolation(_ lsn: LSN) {
            text += "'\(lsn)'"
        }

        /// Adds a string as an SQL literal, safe whatever `standard_conforming_strings` says.
        public mutating func appendInterpolation(literal string: String) {
            let doubled = string.prefixing(["'"], with: "'")
            let hasBackslash = string.unicodeScalars.contains("\\")
            text += hasBackslash ? " E'" + doubled.prefixing(["\\"], with: "\\") + "'" : "'" + doubled + "'"
        }
    }
}
