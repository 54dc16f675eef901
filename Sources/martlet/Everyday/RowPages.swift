import Postgres

/// The rows of a statement, a thousand at a time.
struct RowPages {
    private let sql: SQL
    private let parameters: [String]
    private let connection: Connection
    private let hasCursor: Bool

    /// What returns rows and writes nothing has a cursor; the rows of anything else come at once.
    init(_ sql: SQL, _ parameters: [String], writes: Bool, on connection: Connection) {
        (self.sql, self.parameters, self.connection) = (sql, parameters, connection)
        let first = Self.firstWord(of: sql.text)
        hasCursor = !writes && ["SELECT", "VALUES", "TABLE", "WITH"].contains(first)
    }

    /// The word behind white space, comments and opening parentheses.
    private static func firstWord(of text: String) -> String {
        var rest = text[...]
        while let match = rest.prefixMatch(of: /[\s(]+|--[^\n]*|\/\*[\s\S]*?\*\//), !match.output.isEmpty {
            rest = rest[match.range.upperBound...]
        }
        return rest.prefix { $0.isLetter }.uppercased()
    }

    /// Calls `body` with each page, with an empty one when there are no rows; ends after `limit` rows.
    func forEach(atMost limit: Int = .max, _ body: (Rows) throws(PostgresError) -> Void) throws(PostgresError) {
        guard hasCursor else { return try body(connection.query(sql, parameters: parameters)) }
        try connection.query("DECLARE martlet_rows NO SCROLL CURSOR FOR \(sql)", parameters: parameters)
        var count = 0
        while true {
            let rows = try connection.query("FETCH \(min(1000, limit - count)) FROM martlet_rows")
            if count == 0 || !rows.isEmpty { try body(rows) }
            count += rows.count
            if rows.count < 1000 || count >= limit { break }
        }
        try connection.execute("CLOSE martlet_rows")
    }
}
