private import CLibPQ

extension Connection {
    /// Runs one statement with parameters and returns its rows.
    ///
    /// Parameters are sent apart from the statement, as text, and are never parsed as SQL.
    @discardableResult
    public func query(
        _ sql: SQL,
        _ parameters: (any ParameterValue)?...
    ) throws(PostgresError) -> Rows {
        let texts = parameters.map { $0?.parameterText }
        return try waiting { () throws(PostgresError) in
            let result = unsafe Self.withCStrings(texts) { pointers in
                unsafe PQexecParams(handle, sql.text, Int32(pointers.count), nil, pointers, nil, nil, 0)
            }
            return try unsafe rows(of: result, statement: sql)
        }
    }

    /// Runs one or several statements without parameters, in one round trip, and throws away their rows.
    ///
    /// Several statements outside of a transaction are one transaction.
    public func execute(_ sql: SQL) throws(PostgresError) {
        try waiting { () throws(PostgresError) in
            let result = unsafe PQexec(handle, sql.text)
            _ = try unsafe rows(of: result, statement: sql)
        }
    }

    /// Runs several statements without parameters in one round trip and returns the rows of the last one.
    public func queryLast(_ sql: SQL) throws(PostgresError) -> Rows {
        try waiting { () throws(PostgresError) in
            try unsafe rows(of: PQexec(handle, sql.text), statement: sql)
        }
    }

    /// Prepares a statement for ``Pipeline``; `types` are the parameters' type OIDs, 0 to let the server infer one.
    public func prepare(_ sql: SQL, types: [UInt32]) throws(PostgresError) -> PreparedStatement {
        let name = nextStatementName()
        try waiting { () throws(PostgresError) in
            let result = unsafe PQprepare(handle, name, sql.text, Int32(types.count), types)
            _ = try unsafe rows(of: result, statement: sql)
        }
        return PreparedStatement(name: name, parameterCount: types.count)
    }

    /// Runs `body` in a transaction, which commits when it returns and rolls back when it throws.
    ///
    /// - Parameter begin: the statement that opens it, for an isolation level or READ ONLY.
    public func transaction<Result>(
        _ begin: SQL = "BEGIN",
        _ body: () async throws -> Result
    ) async throws -> Result {
        try execute(begin)
        do {
            let result = try await body()
            try execute("COMMIT")
            return result
        } catch {
            // The first failure is the one to tell; a session that is gone has rolled back by itself.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// Marks a wait for the server, so that a cancellation reaches it.
    func waiting<Result>(_ body: () throws(PostgresError) -> Result) throws(PostgresError) -> Result {
        try canceller.begin()
        defer { canceller.end() }
        return try body()
    }

    /// Takes a result over: its rows, or the error it carries.
    func rows(of result: OpaquePointer?, statement: SQL? = nil) throws(PostgresError) -> Rows {
        guard let result = unsafe result else { throw connectionLost() }
        switch unsafe PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE:
            return unsafe Rows(taking: result)
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            return unsafe Rows(taking: result)
        default:
            defer { unsafe PQclear(result) }
            throw unsafe error(in: result)
        }
    }

    /// Reads an error result.
    func error(in result: OpaquePointer) -> PostgresError {
        func field(_ code: Int32) -> String? {
            unsafe PQresultErrorField(result, code).map { unsafe String(cString: $0) }
        }
        guard let message = field(martlet_diag_message) else { return connectionLost() }
        var error = PostgresError(
            message,
            detail: field(martlet_diag_detail),
            hint: field(martlet_diag_hint),
            sqlState: field(martlet_diag_sqlstate)
        )
        error.position = field(martlet_diag_position).flatMap { Int($0) }
        error.context = field(martlet_diag_context)
        error.constraint = field(martlet_diag_constraint)
        if let schema = field(martlet_diag_schema), let table = field(martlet_diag_table) {
            error.table = QualifiedName(schema: schema, name: table)
        }
        return error
    }

    /// The failure of a session that broke without a word from the server.
    func connectionLost() -> PostgresError {
        if canceller.isCancelled { return .cancelled }
        let reason = unsafe String(cString: PQerrorMessage(handle))
        return PostgresError("lost the connection to \(target.place)", detail: reason, sqlState: "08006")
    }

    private static func withCStrings<Result>(
        _ texts: [String?],
        _ body: ([UnsafePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = texts.map { text in
            text.map { Array($0.utf8CString) }
        }
        return unsafe nested(copies[...], [], body)
    }

    private static func nested<Result>(
        _ copies: ArraySlice<[CChar]?>,
        _ pointers: [UnsafePointer<CChar>?],
        _ body: ([UnsafePointer<CChar>?]) -> Result
    ) -> Result {
        guard let first = copies.first else { return unsafe body(pointers) }
        guard let first else { return unsafe nested(copies.dropFirst(), pointers + [nil], body) }
        return unsafe first.withUnsafeBufferPointer { buffer in
            unsafe nested(copies.dropFirst(), pointers + [buffer.baseAddress], body)
        }
    }
}

/// A statement that a session has prepared.
public struct PreparedStatement: Sendable, Hashable {
    let name: String
    /// How many parameters it takes.
    public let parameterCount: Int
}
