import Catalog
import Postgres

/// How the values of a type become part of a row's hash.
///
/// PostgreSQL's extended hash functions were made for hash tables, where equal values must have
/// equal hashes and nothing else is promised. As a fingerprint many of them are too weak, and only
/// those that were read and found good are used (hashfunc.c, arrayfuncs.c, numeric.c, jsonb_util.c):
///
/// - `hash_array_extended` is 1 for every empty array, whatever the seed, and ignores dimensions;
/// - `hash_numeric_extended` ignores the sign, and is the seed for NaN and both infinities; `hashfloat8extended` is the seed for 0;
/// - `hashint8extended` folds 64 bits into 32: 1 and 4294967296 are the same;
/// - `jsonb_hash_extended` takes `[[1], 2]` for `[[1, 2]]`;
/// - `interval_hash_extended` takes a month for 30 days;
/// - `hashbpcharextended` ignores blanks at the end, which a bpchar without a length keeps.
///
/// What is not listed here is hashed as text.
enum ValueHash: Sendable, Hashable {
    /// A function that mixes all of its seed into the result: `function(value, seed)`.
    case seeded(function: String, form: Form)
    /// A hash of the value alone, brought together with the seed by ``SQL/mixed(_:)``.
    case mixed(Mixed)
    /// A value of `ROW(…)` in the innermost `hash_record_extended`.
    case record
    /// What the output function writes; a cast of bpchar to text would lose its blanks.
    case text

    /// What a seeded function is given.
    enum Form: Sendable, Hashable {
        case plain
        case cast(String)
        case collated
    }

    /// What is mixed into the seed.
    enum Mixed: Sendable, Hashable {
        case itself
        case function(String)
        case numeric
        case array
    }

    /// The hash of a value that is not null, chained to the hash so far.
    func chained(_ value: SQL, _ seed: SQL) -> SQL {
        switch self {
        case .seeded(let function, .plain): return "\(Self.function(function))(\(value), \(seed))"
        case .seeded(let function, .cast(let type)):
            return "\(Self.function(function))(\(value)::\(SQL(trusting: type)), \(seed))"
        case .seeded(let function, .collated): return "\(Self.function(function))(\(value) COLLATE \"C\", \(seed))"
        case .mixed(.itself): return .mixed("\(seed) # \(value)")
        case .mixed(.function(let function)): return .mixed("\(seed) # \(Self.function(function))(\(value), 7)")
        case .mixed(.numeric):
            return .mixed(
                "\(seed) # hash_numeric_extended(\(value), coalesce(scale(\(value)), hashtext(\(value)::text))::int8 * 2 + (\(value) < 0)::int4 + 7)"
            )
        case .mixed(.array):
            let shape: SQL = "hashtextextended(coalesce(array_dims(\(value)), '') COLLATE \"C\", \(seed))"
            return .mixed("\(shape) # hash_array_extended(\(value), 7)")
        case .record: return .mixed("\(seed) # hash_record_extended(ROW(\(value)), 0)")
        case .text: return "hashtextextended(concat(\(value)) COLLATE \"C\", \(seed))"
        }
    }

    private static func function(_ name: String) -> SQL { SQL(trusting: name) }
}

extension SQL {
    /// All 64 bits of a number stirred; without it the sum over all rows would not see two rows that swap a value.
    static func mixed(_ number: SQL) -> SQL { "hashint4extended(0, \(number))" }
}

/// What is known of a type of `pg_catalog`.
struct HashedType: Sendable, Hashable {
    let hash: ValueHash
    /// Stands for NULL, which the row's set of nulls tells apart from it.
    let stand: String
    /// A literal of the self-test.
    let sample: String

    /// The hash of a column's type; nil when only its text can be compared.
    static func of(_ type: QualifiedName) -> HashedType? {
        guard type.schema == "pg_catalog" else { return nil }
        if let known = known[type.name] { return known }
        guard type.name.hasPrefix("_"), let element = known[String(type.name.dropFirst())] else { return nil }
        switch element.hash {
        case .seeded, .record, .mixed(.function): break
        case .mixed, .text: return nil
        }
        return HashedType(
            hash: .mixed(.array),
            stand: "'{}'::pg_catalog.\(Identifier(type.name).quoted)",
            sample: "ARRAY[\(element.sample), NULL]"
        )
    }

    private static let known: [String: HashedType] = {
        var types: [String: HashedType] = [:]
        func add(_ name: String, _ hash: ValueHash, stand: String, sample: String) {
            let type = "pg_catalog.\(Identifier(name).quoted)"
            types[name] = HashedType(hash: hash, stand: "'\(stand)'::\(type)", sample: "'\(sample)'::\(type)")
        }
        add("bool", .seeded(function: "hashint4extended", form: .cast("int4")), stand: "f", sample: "t")
        add("int2", .seeded(function: "hashint2extended", form: .plain), stand: "0", sample: "-12345")
        add("int4", .seeded(function: "hashint4extended", form: .plain), stand: "0", sample: "-1234567890")
        add("int8", .mixed(.itself), stand: "0", sample: "-1234567890123456789")
        add("float4", .mixed(.function("hashfloat4extended")), stand: "0", sample: "-1.2345e-6")
        add("float8", .mixed(.function("hashfloat8extended")), stand: "0", sample: "-1.23456789e-100")
        add("numeric", .mixed(.numeric), stand: "0", sample: "-12345678901234567890.1234567890")
        add("text", .seeded(function: "hashtextextended", form: .collated), stand: "", sample: "martlet!")
        add("varchar", .seeded(function: "hashtextextended", form: .collated), stand: "", sample: "martlet!")
        add("name", .seeded(function: "hashnameextended", form: .plain), stand: "", sample: "martlet")
        add("char", .seeded(function: "hashcharextended", form: .plain), stand: "a", sample: "z")
        add(
            "uuid",
            .seeded(function: "uuid_hash_extended", form: .plain),
            stand: "00000000-0000-0000-0000-000000000000",
            sample: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        )
        let timestamp = "2024-02-29 12:34:56.789012"
        add(
            "timestamp",
            .seeded(function: "timestamp_hash_extended", form: .plain),
            stand: "2000-01-01",
            sample: timestamp
        )
        // The session's time zone is UTC, so the cast does not change the number behind the value.
        add(
            "timestamptz",
            .seeded(function: "timestamp_hash_extended", form: .cast("timestamp")),
            stand: "2000-01-01 00:00:00+00",
            sample: timestamp + "+00"
        )
        add("time", .seeded(function: "time_hash_extended", form: .plain), stand: "0:0", sample: "12:34:56.789012")
        // Their hash functions take no argument that SQL can give in every version.
        add("date", .record, stand: "2000-01-01", sample: "2024-02-29")
        add("bytea", .record, stand: "", sample: "\\x00ff4d6172746c6574")
        add("timetz", .record, stand: "0:0+00", sample: "12:34:56.789012+02")
        add("inet", .record, stand: "0.0.0.0", sample: "2001:db8::1/64")
        add("cidr", .record, stand: "0.0.0.0", sample: "2001:db8::/64")
        add("macaddr", .record, stand: "00:00:00:00:00:00", sample: "08:00:2b:01:02:03")
        add("macaddr8", .record, stand: "00:00:00:00:00:00:00:00", sample: "08:00:2b:01:02:03:04:05")
        add("pg_lsn", .record, stand: "0/0", sample: "16/B374D848")
        return types
    }()
}
