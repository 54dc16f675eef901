/// A name of a column, a role, a schema or any other object, which is quoted whenever it becomes part of SQL.
public struct Identifier: Sendable, Hashable, Codable, Comparable, ExpressibleByStringLiteral {
    /// The name as the catalog holds it, unquoted.
    public let name: String

    /// Creates an identifier from a catalog name.
    public init(_ name: String) {
        self.name = name
    }

    /// Creates an identifier from a literal in our own source.
    public init(stringLiteral value: String) {
        self.init(value)
    }

    /// The name in double quotes, with those inside it doubled; always quoted, so that no keyword list is needed.
    public var quoted: String {
        "\"" + name.prefixing(["\""], with: "\"") + "\""
    }

    /// Compares bytes, as the server does: an `é` of one code point is not one of two, though Swift's strings are equal.
    public static func == (left: Self, right: Self) -> Bool {
        left.name.utf8.elementsEqual(right.name.utf8)
    }

    /// Orders by bytes.
    public static func < (left: Self, right: Self) -> Bool {
        left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }

    /// Hashes the name's bytes.
    public func hash(into hasher: inout Hasher) {
        for byte in name.utf8 { hasher.combine(byte) }
    }
}

extension String {
    /// Puts `mark` before each of `scalars`.
    ///
    /// Works on Unicode scalars: to Swift a quote and a combining accent after it are one character,
    /// which is not the quote, while the server sees the quote.
    package func prefixing(_ scalars: Set<Unicode.Scalar>, with mark: Unicode.Scalar) -> String {
        guard unicodeScalars.contains(where: scalars.contains) else { return self }
        var marked = UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalars.contains(scalar) { marked.append(mark) }
            marked.append(scalar)
        }
        return String(marked)
    }
}

/// The name of a table, an index, a sequence or another object that lives in a schema.
public struct QualifiedName: Sendable, Hashable, Codable, Comparable {
    /// The schema's name, unquoted.
    public let schema: String
    /// The object's name, unquoted.
    public let name: String

    /// Creates a name from two catalog names.
    public init(schema: String, name: String) {
        self.schema = schema
        self.name = name
    }

    /// Both parts quoted, joined by a dot: what SQL takes.
    public var quoted: String {
        Identifier(schema).quoted + "." + Identifier(name).quoted
    }

    /// Orders by schema, then by name, both by their bytes.
    public static func < (left: Self, right: Self) -> Bool {
        left.schema.utf8.elementsEqual(right.schema.utf8)
            ? left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
            : left.schema.utf8.lexicographicallyPrecedes(right.schema.utf8)
    }

    /// Compares bytes, as the server does.
    public static func == (left: Self, right: Self) -> Bool {
        left.schema.utf8.elementsEqual(right.schema.utf8) && left.name.utf8.elementsEqual(right.name.utf8)
    }

    /// Hashes the bytes of both names.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(Identifier(schema))
        hasher.combine(Identifier(name))
        hasher.combine(schema.utf8.count)
    }
}

extension QualifiedName: CustomStringConvertible {
    /// What people read: `schema.name`, quoted only where a part would be read wrongly without.
    public var description: String {
        [schema, name].map { Self.readsPlainly($0) ? $0 : Identifier($0).quoted }.joined(separator: ".")
    }

    private static func readsPlainly(_ part: String) -> Bool {
        guard let first = part.unicodeScalars.first, ("a"..."z").contains(first) || first == "_" else { return false }
        return part.unicodeScalars.allSatisfy {
            ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "_"
        }
    }
}
