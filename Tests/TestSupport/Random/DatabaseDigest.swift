public import Postgres

/// What is in a database, found out by plain questions and nothing of martlet's.
///
/// Compares texts, so it also sees 1.0 beside 1.00 and -0 beside 0.
public struct DatabaseDigest: Sendable, Equatable {
    /// A number of rows and a hash of their texts, for each table that is not a partition.
    public let tables: [String: String]
    /// Where each sequence stands.
    public let sequences: [String: String]

    private static let settings: SQL = """
        SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; \
        SET bytea_output = 'hex'; SET search_path = ''; SET row_security = off; SET lc_monetary = 'C'; SET xmloption = content
        """

    /// Reads every row of a database; exact when nobody writes.
    public init(of place: ConnectionString) async throws {
        (tables, sequences) = try await withConnection(to: place, application: "digest") { connection in
            try connection.execute(Self.settings)
            var tables: [String: String] = [:]
            let names: SQL = """
                SELECT n.nspname, c.relname, c.relkind FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
                   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
                """
            for row in try connection.query(names) {
                let name = QualifiedName(schema: row.text(0) ?? "", name: row.text(1) ?? "")
                let only: SQL = row.text(2) == "p" ? "" : "ONLY "
                let digest = try connection.query(
                    """
                    SELECT count(*) || ' rows, ' || md5(coalesce(string_agg(md5(x), '' ORDER BY md5(x) COLLATE "C"), ''))
                      FROM (SELECT ("r".*)::text AS x FROM \(only)\(name) AS "r") AS d
                    """
                )
                tables[name.quoted] = digest[0].text(0)
            }
            var sequences: [String: String] = [:]
            let all: SQL = "SELECT format('%I.%I', schemaname, sequencename), last_value::text FROM pg_sequences"
            for row in try connection.query(all) where row.text(0)?.hasPrefix("martlet.") == false {
                sequences[row.text(0) ?? ""] = row.text(1) ?? "not drawn"
            }
            return (tables, sequences)
        }
    }

    /// What differs, a line for each; empty when nothing does.
    public func differences(from other: Self) -> [String] {
        Self.differences("table", tables, other.tables) + Self.differences("sequence", sequences, other.sequences)
    }

    /// The tables whose rows differ.
    public func differingTables(from other: Self) -> [String] {
        Set(tables.keys).union(other.tables.keys).filter { tables[$0] != other.tables[$0] }.sorted()
    }

    private static func differences(_ kind: String, _ left: [String: String], _ right: [String: String]) -> [String] {
        Set(left.keys).union(right.keys).sorted().compactMap { name in
            guard left[name] != right[name] else { return nil }
            return "\(kind) \(name): \(left[name] ?? "not there") and \(right[name] ?? "not there")"
        }
    }

    /// Some of the rows that only one side has, as text.
    public static func rows(
        of table: String,
        differing left: ConnectionString,
        _ right: ConnectionString
    ) async throws -> String {
        let (one, two) = (try await texts(of: table, left), try await texts(of: table, right))
        func list(_ rows: [String: Int], _ others: [String: Int]) -> String {
            rows.filter { others[$0.key] != $0.value }.prefix(3).map { "  \($0.value) × \($0.key.prefix(700))" }
                .joined(separator: "\n")
        }
        return "only on the source:\n\(list(one, two))\nonly on the target:\n\(list(two, one))"
    }

    private static func texts(of table: String, _ place: ConnectionString) async throws -> [String: Int] {
        try await withConnection(to: place) { connection in
            try connection.execute(settings)
            var texts: [String: Int] = [:]
            for row in try connection.query("SELECT (\"r\".*)::text FROM \(SQL(trusting: table)) AS \"r\"") {
                texts[row.text(0) ?? "", default: 0] += 1
            }
            return texts
        }
    }
}
