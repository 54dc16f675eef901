import Catalog
import Postgres

/// Writes the SQL that hashes one row of a table into 64 bits, the same on both sides.
///
/// The columns' hash functions are chained: each takes the hash so far as its seed, which is three
/// times as fast as hashing the row's text. Innermost stands the set of columns that are null, so
/// that NULL differs from every value and cannot change places with one. Worked example, for
/// `(id int4 NOT NULL, name text, day date)`:
///
///     hashtextextended(coalesce(t.name, '') COLLATE "C",
///         hashint4extended(t.id,
///             hashint4extended(0, hash_record_extended(ROW(t.day), 0)
///                 # (CASE WHEN t.name IS NULL THEN 1 …  | CASE WHEN t.day IS NULL THEN 2 …))))
///
/// `hash_record_extended` alone is no row hash: it is linear in its columns' hashes, so the sum over
/// all rows stays the same when two rows swap a value. What comes out of it is always mixed.
struct RowHash: Sendable, Hashable {
    /// How rows are hashed.
    enum Method: Sendable, Hashable {
        /// By the types' own functions, as far as they are good and the same on both servers.
        case functions(exceptTypes: Set<QualifiedName>)
        /// By the text of every column.
        case text
        /// By a cryptographic digest of the row's text in UTF-8: for servers that hash or encode text differently.
        case digest

        /// Whether every value goes by its text.
        var isText: Bool {
            if case .functions = self { false } else { true }
        }
    }

    /// A column that both sides have.
    struct Part: Sendable, Hashable {
        let name: Identifier
        /// The type on both sides; nil when they differ.
        let type: QualifiedName?
        let isNotNull: Bool
    }

    let parts: [Part]
    let method: Method

    /// The hash of some of the columns.
    func only(_ names: [Identifier]) -> RowHash {
        RowHash(parts: parts.filter { names.contains($0.name) }, method: method)
    }

    /// The hash of the row that goes by the alias `t`.
    var sql: SQL {
        guard !parts.isEmpty else { return "0::int8" }
        if method == .digest { return digest }
        let chained = parts.filter { hash(of: $0) != .record }
        return chained.reduce(innermost) { seed, part in
            let value: SQL = "t.\(part.name)"
            guard !part.isNotNull, let stand = stand(of: part) else { return hash(of: part).chained(value, seed) }
            return hash(of: part).chained("coalesce(\(value), \(stand))", seed)
        }
    }

    /// How a column's values are hashed.
    func hash(of part: Part) -> ValueHash {
        guard case .functions(let excepted) = method, let type = part.type, !excepted.contains(type) else {
            return .text
        }
        return HashedType.of(type)?.hash ?? .text
    }

    /// What stands for NULL; nil where that is taken as an empty text.
    private func stand(of part: Part) -> SQL? {
        guard hash(of: part) != .text else { return nil }
        return part.type.flatMap(HashedType.of).map { SQL(trusting: $0.stand) }
    }

    private var innermost: SQL {
        let records = parts.filter { hash(of: $0) == .record }
        let nulls = nullSets
        guard !records.isEmpty else { return nulls }
        let values = SQL.joined(records.map { "t.\($0.name)" })
        return .mixed("hash_record_extended(ROW(\(values)), 0) # \(nulls)")
    }

    /// The columns that are null, as sets of 63 bits.
    private var nullSets: SQL {
        let nullable = parts.filter { !$0.isNotNull }
        var sql: SQL = "7::int8"
        for start in stride(from: 0, to: nullable.count, by: 63) {
            let bits = nullable[start..<min(start + 63, nullable.count)].enumerated().map { place, part -> SQL in
                "CASE WHEN t.\(part.name) IS NULL THEN \(Int64(1) << Int64(place))::int8 ELSE 0::int8 END"
            }
            let set: SQL = "(\(.joined(bits, separator: " | ")))"
            sql = start == 0 ? set : .mixed("\(sql) # \(set)")
        }
        return sql
    }

    /// The first 64 bits of SHA-256 over a row of texts, whose quoting tells NULL from an empty string.
    private var digest: SQL {
        let values = SQL.joined(parts.map { "CASE num_nulls(t.\($0.name)) WHEN 0 THEN concat(t.\($0.name)) END" })
        let bytes: SQL = "sha256(convert_to(ROW(\(values))::text, 'UTF8'))"
        return "('x' || encode(substr(\(bytes), 1, 8), 'hex'))::bit(64)::int8"
    }
}

extension RowHash {
    /// Asks both servers for the hash of one literal of each type; a server may be of another byte order.
    ///
    /// - Returns: one statement and the types in the order of its columns.
    static func selfTest(of types: Set<QualifiedName>) -> (sql: SQL, types: [QualifiedName]) {
        let types = types.filter { HashedType.of($0) != nil }.sorted()
        let text = ValueHash.text.chained("'martlet!'", "42")
        let tests = types.compactMap { HashedType.of($0) }.map { $0.hash.chained(SQL(trusting: $0.sample), "42") }
        return ("SELECT \(.joined([text] + tests))", types)
    }
}
