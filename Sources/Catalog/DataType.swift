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
    /// Whether it may be a domain that refuses NULL: its receive function is asked even about a NULL inside a row.
    public let refusesNull: Bool

    /// Whether equal values are the same in every byte: 30 days and 720 hours are equal, and so are 1.0 and 1.00, and
    /// texts under some collations.
    public var isExact: Bool {
        let exact: Set<String> = [
            "bool", "int2", "int4", "int8", "oid", "name", "char", "bytea", "uuid", "date", "time", "timetz",
            "timestamp",
            "timestamptz", "inet", "cidr", "macaddr", "macaddr8", "pg_lsn",
        ]
        return name.schema == "pg_catalog" && exact.contains(name.name)
    }

    /// Whether its values are OIDs of other objects, written as names: `regclass` and its like, and arrays of them.
    public var isReference: Bool {
        name.schema == "pg_catalog" && (name.name.hasPrefix("reg") || name.name.hasPrefix("_reg"))
    }
}

extension DataType {
    /// Reads all types of a database.
    static func readAll(_ connection: Connection) throws(PostgresError) -> [UInt32: DataType] {
        var rows: [UInt32: CatalogRow] = [:]
        for row in try connection.query(CatalogSQL.types) {
            let type = try CatalogRow(row)
            rows[type.oid] = type
        }
        return rows.mapValues { row in
            DataType(
                oid: row.oid,
                name: row.name,
                portability: row.portability(among: rows),
                refusesNull: row.refusesNull(among: rows)
            )
        }
    }

    private struct CatalogRow {
        let oid: UInt32
        let name: QualifiedName
        let kind: String
        let parts: [UInt32]
        let hasBinary: Bool
        let base: UInt32
        let isConstrained: Bool

        init(_ row: Row) throws(PostgresError) {
            oid = try row("oid")
            name = QualifiedName(schema: try row("schema"), name: try row("name"))
            kind = try row("kind")
            hasBinary = try row("has_binary")
            let element: UInt32 = try row("element")
            base = try row("base")
            isConstrained = try row("is_constrained")
            let subtype: UInt32 = try row("subtype")
            let fields: [UInt32] = try row("fields")
            parts = ([element, base, subtype] + fields).filter { $0 != 0 }
        }

        /// A type is as portable as its parts: an array's element, a domain's base, a range's bound, a composite's fields.
        ///
        /// A composite may contain arrays of itself, so the parts are followed, each once, and not recursed into.
        func portability(among rows: [UInt32: CatalogRow]) -> Portability {
            var answer = own
            var seen: Set<UInt32> = [oid]
            var left = parts
            while let part = left.popLast() {
                guard seen.insert(part).inserted, let row = rows[part] else { continue }
                answer.binary = answer.binary && row.own.binary
                answer.hash = answer.hash && row.own.hash
                left += row.parts
            }
            return answer
        }

        /// Whether the domain, or one that it stands on, has a constraint.
        func refusesNull(among rows: [UInt32: CatalogRow]) -> Bool {
            var row: CatalogRow? = self
            while let domain = row, domain.kind == "d" {
                if domain.isConstrained { return true }
                row = rows[domain.base]
            }
            return false
        }

        /// What the type itself allows.
        ///
        /// The `reg*` types are OIDs of other objects, which differ between servers. An enum hashes
        /// its OID (hashenumextended), a composite may hold anything: both compare as text.
        private var own: Portability {
            let isReference = name.schema == "pg_catalog" && name.name.hasPrefix("reg")
            // int2vectorrecv, oidvectorrecv and tsqueryrecv refuse what their send functions write of an empty value.
            let refusesItself =
                name.schema == "pg_catalog" && ["int2vector", "oidvector", "tsquery"].contains(name.name)
            return Portability(
                binary: hasBinary && !isReference && !refusesItself && kind != "p",
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
