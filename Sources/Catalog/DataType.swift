public import Postgres

/// A data type, as far as it decides how values travel.
public struct DataType: Sendable, Hashable {
    /// Whether values of the type mean the same on another server in each form.
    public struct Portability: Sendable, Hashable {
        /// The binary form may be sent to another server.
        public var binary: Bool
        /// Equal values have equal extended hashes on every server, by a hash function of the type.
        public var hash: Bool
    }

    /// The type's OID on the server it was read from.
    public let oid: UInt32
    /// The type's name.
    public let name: QualifiedName
    /// What may be done with its values.
    public let portability: Portability
}

extension DataType {
    /// Reads all types of a database.
    static func readAll(_ connection: Connection) throws(PostgresError) -> [UInt32: DataType] {
        var rows: [UInt32: CatalogRow] = [:]
        for row in try connection.query(CatalogSQL.types) {
            let type = try CatalogRow(row)
            rows[type.oid] = type
        }
        var known: [UInt32: Portability] = [:]
        return rows.mapValues { row in
            DataType(oid: row.oid, name: row.name, portability: row.portability(among: rows, known: &known))
        }
    }

    private struct CatalogRow {
        let oid: UInt32
        let name: QualifiedName
        let kind: String
        let parts: [UInt32]
        let hasBinary: Bool

        init(_ row: Row) throws(PostgresError) {
            oid = try row("oid")
            name = QualifiedName(schema: try row("schema"), name: try row("name"))
            kind = try row("kind")
            hasBinary = try row("has_binary")
            let element: UInt32 = try row("element")
            let base: UInt32 = try row("base")
            let subtype: UInt32 = try row("subtype")
            let fields: [UInt32] = try row("fields")
            parts = ([element, base, subtype] + fields).filter { $0 != 0 }
        }

        /// A type is as portable as its parts: an array's element, a domain's base, a range's bound, a composite's fields.
        func portability(among rows: [UInt32: CatalogRow], known: inout [UInt32: Portability]) -> Portability {
            if let answer = known[oid] { return answer }
            // Stands while a recursive type is being looked at.
            known[oid] = Portability(binary: true, hash: true)
            var answer = own
            for part in parts {
                guard let row = rows[part] else { continue }
                let of = row.portability(among: rows, known: &known)
                answer.binary = answer.binary && of.binary
                answer.hash = answer.hash && of.hash
            }
            known[oid] = answer
            return answer
        }

        /// What the type itself allows.
        ///
        /// The `reg*` types are OIDs of other objects, which differ between servers. An enum hashes
        /// its OID (hashenumextended), a composite may hold anything: both compare as text.
        private var own: Portability {
            let isReference = name.schema == "pg_catalog" && name.name.hasPrefix("reg")
            return Portability(
                binary: hasBinary && !isReference && kind != "p",
                hash: kind == "r" || kind == "m" || kind == "d" || !parts.isEmpty && kind == "b"
                    || name.schema == "pg_catalog" && Self.hashable.contains(name.name)
            )
        }

        /// Built-in types with a hash operator class whose hash does not depend on an OID of the server.
        private static let hashable: Set<String> = [
            "bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar", "name", "char",
            "bytea", "uuid", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "inet", "cidr",
            "macaddr",
            "macaddr8", "jsonb", "pg_lsn",
        ]
    }
}
