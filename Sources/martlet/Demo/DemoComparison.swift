import Cluster
import Postgres

/// Compares two databases at rest with plain SQL: the demo's own judgement, which shares nothing with `martlet verify`.
struct DemoComparison: Sendable {
    let old: ConnectionString
    let new: ConnectionString

    /// What was compared, and what was not the same.
    struct Outcome: Sendable {
        var tables = 0
        var rows = 0
        var questions = 0
        var differences: [String] = []

        /// One line for people.
        var line: String {
            let what =
                "\(tables) tables, \(Painter.count(rows)) rows, \(questions) questions of the shop; each partition is a table"
            return differences.isEmpty ? "equal: \(what)" : "NOT equal: " + differences.joined(separator: "; ")
        }
    }

    /// Compares the new server with a transaction that sees the old one as it was at one moment.
    func compare(frozen: Connection) async throws -> Outcome {
        async let entered = withNeutralConnection(to: new, application: "demo comparison") { try Facts($0) }
        let left = try Facts(frozen)
        return Self.compare(left, try await entered)
    }

    private static func compare(_ left: Facts, _ right: Facts) -> Outcome {
        var outcome = Outcome(tables: left.tables.count, rows: left.rows, questions: left.answers.count)
        for (table, digest) in left.tables.sorted(by: { $0.key < $1.key }) where right.tables[table] != digest {
            outcome.differences.append("table \(table): \(digest) and \(right.tables[table] ?? "missing")")
        }
        for table in right.tables.keys.sorted() where left.tables[table] == nil {
            outcome.differences.append("table \(table) is only on the new server")
        }
        for (check, answers) in zip(ShopDatabase.checks, zip(left.answers, right.answers)) {
            if answers.0 != answers.1 {
                outcome.differences.append("\"\(check.name)\": \(answers.0) and \(answers.1)")
            } else if check.mustBeZero, answers.0 != "0" {
                outcome.differences.append("\"\(check.name)\": \(answers.0) on both")
            }
        }
        return outcome
    }

    /// The questions whose answer must be 0 and is not.
    static func failedChecks(of database: ConnectionString) async throws -> [String] {
        try await withConnection(to: database, application: "demo comparison") { connection in
            try ShopDatabase.checks.filter(\.mustBeZero).compactMap { check in
                let answer = try connection.query(check.question).first?.text(0)
                return answer == "0" ? nil : "\"\(check.name)\": \(answer ?? "no answer")"
            }
        }
    }
}

/// What one database holds.
private struct Facts: Sendable {
    /// Rows and a sum of their hashes, by table.
    var tables: [String: String] = [:]
    var rows = 0
    /// The answers to the shop's questions, in their order.
    var answers: [String] = []

    init(_ connection: Connection) throws(PostgresError) {
        let names = try connection.query(
            """
            SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_'
               AND n.nspname NOT IN ('information_schema', 'martlet')
            """
        )
        for row in names {
            let name = QualifiedName(schema: try row("nspname"), name: try row("relname"))
            let digest = try connection.query(
                """
                SELECT count(*) AS rows, sum(('x' || left(md5((r.*)::text), 16))::bit(64)::bigint) AS hash
                  FROM ONLY \(name) AS r
                """
            ).first
            let count: Int = try digest?("rows") ?? 0
            rows += count
            tables[name.description] = "\(count) rows, hash \(digest?.text(1) ?? "none")"
        }
        try connection.execute("SET search_path = public")
        for check in ShopDatabase.checks {
            let answer = try connection.query(check.question).first
            answers.append((0..<(answer?.count ?? 0)).map { answer?.text($0) ?? "null" }.joined(separator: ", "))
        }
    }
}
