import Postgres

/// A type as AWS DMS calls it, and what it is in PostgreSQL.
struct MappedType: Sendable, Hashable {
    /// As the rule calls it.
    let name: String
    let length: Int?
    let precision: Int?
    let scale: Int?

    /// The type as DDL writes it, with and without its modifiers; nil when there is no such type.
    ///
    /// The correspondence is the one of DMS's PostgreSQL target.
    var sql: (declared: SQL, plain: SQL)? {
        switch name.lowercased() {
        case "boolean": same("boolean")
        case "bytes", "blob": same("bytea")
        case "date": same("date")
        case "time": fractional("time without time zone")
        case "datetime": fractional("timestamp without time zone")
        case "int1", "int2", "uint1": same("smallint")
        case "int4", "uint2": same("integer")
        case "int8", "uint4": same("bigint")
        // Two to the power of 64 does not fit into bigint.
        case "uint8": (declared: "numeric(20,0)", plain: "numeric")
        case "numeric": numeric
        case "real4": same("real")
        case "real8": same("double precision")
        case "string", "wstring": text
        case "clob", "nclob": same("text")
        default: nil
        }
    }

    /// The names that ``sql`` knows.
    static let names = [
        "boolean", "bytes", "blob", "date", "time", "datetime", "int1", "int2", "int4", "int8", "uint1", "uint2",
        "uint4", "uint8", "numeric", "real4", "real8", "string", "wstring", "clob", "nclob",
    ]

    private func same(_ type: SQL) -> (declared: SQL, plain: SQL) { (type, type) }

    private func fractional(_ type: String) -> (declared: SQL, plain: SQL) {
        guard let digits = precision ?? scale, digits < 6 else { return same(SQL(trusting: type)) }
        let (word, zone) = (type.prefix { $0 != " " }, type.drop { $0 != " " })
        return (SQL(trusting: "\(word)(\(digits))\(zone)"), SQL(trusting: type))
    }

    private var numeric: (declared: SQL, plain: SQL) {
        guard let precision else { return same("numeric") }
        return ("numeric(\(precision),\(scale ?? 0))", "numeric")
    }

    private var text: (declared: SQL, plain: SQL) {
        // PostgreSQL's varchar ends at 10,485,760 characters; DMS makes a text of what is longer than 21,845.
        guard let length, length <= 21_845 else { return same("text") }
        return ("character varying(\(length))", "character varying")
    }

    /// How many characters it holds; nil for one that is no text, and for one without a limit the greatest number.
    var room: Int? {
        switch name.lowercased() {
        case "string", "wstring": length ?? Int.max
        case "clob", "nclob": Int.max
        default: nil
        }
    }
}
