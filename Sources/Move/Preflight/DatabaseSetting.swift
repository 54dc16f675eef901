import Postgres

/// A setting that sessions in one database begin with: `ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET`.
///
/// pg_dump leaves it to `pg_dumpall`, and so do we: it is the operator's to decide.
struct DatabaseSetting: Sendable, Hashable {
    /// The role that it is for; nil when it is for all.
    let role: String?
    let name: String
    let value: String

    static func readAll(_ connection: Connection) throws(PostgresError) -> [DatabaseSetting] {
        try connection.query(PreflightSQL.settings).map { row throws(PostgresError) in
            DatabaseSetting(role: try row.optional("role"), name: try row("name"), value: try row("value"))
        }
    }

    /// The command that makes it for a database.
    func command(for database: String) -> String {
        let place =
            if let role {
                "ALTER ROLE \(Identifier(role).quoted) IN DATABASE \(Identifier(database).quoted)"
            } else {
                "ALTER DATABASE \(Identifier(database).quoted)"
            }
        let parts = name.split(separator: ".").map { Identifier(String($0)).quoted }.joined(separator: ".")
        let values = Self.lists.contains(name.lowercased()) ? Self.elements(of: value) : [value]
        return "\(place) SET \(parts) TO \(values.map(Self.literal).joined(separator: ", "));"
    }

    /// The settings whose value is a list of names, each quoted by itself (GUC_LIST_QUOTE, as pg_dump has it).
    private static let lists: Set<String> = [
        "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
        "temp_tablespaces", "unix_socket_directories",
    ]

    private static func literal(_ value: String) -> String {
        let sql: SQL = "\(literal: value)"
        return sql.text
    }

    /// Splits `"$user", public` at the commas that are in no quotes; an empty list is an empty string.
    static func elements(of list: String) -> [String] {
        var elements = [""]
        var isQuoted = false
        var last: Unicode.Scalar?
        for scalar in list.unicodeScalars {
            if scalar == "\"" {
                if !isQuoted, last == "\"" { elements[elements.count - 1].append("\"") }
                isQuoted.toggle()
            } else if scalar == ",", !isQuoted {
                elements.append("")
            } else if isQuoted || scalar != " " {
                elements[elements.count - 1].unicodeScalars.append(scalar)
            }
            last = scalar
        }
        return elements
    }
}

extension Preflight {
    /// The settings of the source's database that a target has not; none are moved.
    static func settings(source: SourceSurvey, target: TargetSurvey?) -> Finding? {
        let there = Set(target?.settings ?? [])
        let missing = source.settings.filter { !there.contains($0) }
        guard !missing.isEmpty else { return nil }
        let database = target?.server.database ?? source.server.database
        return Finding(
            target == nil ? "source.settings" : "target.settings",
            .warning,
            "\(Finding.count(missing.count, "setting")) of the database \(missing.count == 1 ? "is" : "are") not moved: "
                + Finding.list(missing.map(\.name)),
            detail:
                "They were made by ALTER DATABASE … SET or ALTER ROLE … IN DATABASE … SET. On the target, before the "
                + "cutover:",
            remedy: missing.map { $0.command(for: database) }
        )
    }
}
