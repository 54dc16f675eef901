public import Postgres

/// A statement whose rows come as JSON that the server has written.
///
///     JSONQuery("SELECT id, name FROM users WHERE team = $1").array    [{"id":1,"name":"Ada"}]
///
/// Parameters are sent apart from the statement, never as part of it.
public struct JSONQuery: Sendable, Hashable {
    private let sql: SQL

    /// Takes one statement that returns rows: SELECT, VALUES, or a change with RETURNING.
    public init(_ sql: SQL) {
        var text = sql.text[...]
        while let last = text.unicodeScalars.last, last == ";" || last.properties.isWhitespace {
            text = Substring(text.unicodeScalars.dropLast())
        }
        self.sql = SQL(trusting: String(text))
    }

    /// One statement with one row and one column: the first row as an object, `{}` when there is none.
    public var object: SQL {
        "WITH martlet_rows AS (\(sql)\n) SELECT coalesce((SELECT row_to_json(r)::text FROM martlet_rows AS r LIMIT 1), '{}') AS json"
    }

    /// One statement with one row and one column: all rows as an array of objects, `[]` when there are none.
    public var array: SQL {
        "WITH martlet_rows AS (\(sql)\n) SELECT coalesce(json_agg(row_to_json(r))::text, '[]') AS json FROM martlet_rows AS r"
    }

    /// One statement with a row for each row, each an object.
    public var lines: SQL {
        "WITH martlet_rows AS (\(sql)\n) SELECT row_to_json(r)::text AS json FROM martlet_rows AS r"
    }
}

extension ConnectionPool {
    /// The first row as a JSON object, `{}` when there is none; read-only unless `writes`.
    ///
    /// - Throws: a ``PostgresError`` of the server, 25006 when a statement that may not write does.
    public func object(
        _ query: JSONQuery,
        _ parameters: (any ParameterValue)?...,
        writes: Bool = false
    ) async throws -> String {
        try await json(query.object, parameters, writes: writes)
    }

    /// All rows as a JSON array, `[]` when there are none; read-only unless `writes`.
    ///
    /// The array is one value, which can be 1 GB at most.
    public func array(
        _ query: JSONQuery,
        _ parameters: (any ParameterValue)?...,
        writes: Bool = false
    ) async throws -> String {
        try await json(query.array, parameters, writes: writes)
    }

    private func json(_ sql: SQL, _ parameters: [(any ParameterValue)?], writes: Bool) async throws -> String {
        try await withConnection { connection in
            try await connection.transaction(writes ? "BEGIN" : "BEGIN READ ONLY") {
                try connection.query(sql, parameters: parameters).first?("json") ?? ""
            }
        }
    }
}
