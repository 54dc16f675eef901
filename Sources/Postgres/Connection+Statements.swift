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
        try query(sql, parameters: parameters)
    }

    /// As ``query(_:_:)``, with parameters that are in an array.
    @discardableResult
    public func query(_ sql: SQL, parameters: [(any ParameterValue)?]) throws(PostgresError) -> Rows {
        let texts = parameters.map { $0?.parameterText }
        try Self.refuseZeroBytes(in: [sql.text] + texts.compactMap(\.self))
        return try waiting { () throws(PostgresError) in
            let result = unsafe Self.withCStrings(texts) { pointers in
                unsafe PQexecParams(handle, sql.text, Int32(clamping: pointers.count), nil, pointers, nil, nil, 0)
            }
            return try unsafe rows(of: result)
        }
    }

    /// Runs one or several statements without parameters, in one round trip, and throws away their rows.
    ///
    /// Several statements outside of a transaction are one transaction.
    public func execute(_ sql: SQL) throws(PostgresError) {
        _ = try queryLast(sql)
    }

    /// Runs several statements without parameters in one round trip and returns the rows of the last one.
    public func queryLast(_ sql: SQL) throws(PostgresError) -> Rows {
        try Self.refuseZeroBytes(in: [sql.text])
        return try waiting { () throws(PostgresError) in
            try unsafe rows(of: PQexec(handle, sql.text))
        }
    }

    /// Prepares a statement for ``Pipeline``; `types` are the parameters' type OIDs, 0 to let the server infer one.
    public func prepare(_ sql: SQL, types: [UInt32]) throws(PostgresError) -> PreparedStatement {
        try Self.refuseZeroBytes(in: [sql.text])
        let name = nextStatementName()
        try waiting { () throws(PostgresError) in
            _ = try unsafe rows(of: PQprepare(handle, name, sql.text, Int32(clamping: types.count), types))
        }
        return PreparedStatement(name: name, parameterCount: types.count)
    }

    /// Runs `body` in a transaction, which commits when it returns and rolls back when it throws.
    ///
    /// `begin` is the statement that opens it, for an isolation level or READ ONLY. A transaction
    /// inside another, and one whose body hid the failure of a statement, throw: the server would
    /// answer the first with a warning and the COMMIT of the second with a quiet ROLLBACK.
    public func transaction<Result>(
        _ begin: SQL = "BEGIN",
        _ body: () async throws -> Result
    ) async throws -> Result {
        guard !isInTransaction else {
            throw PostgresError("cannot begin a transaction inside another", sqlState: "25001")
        }
        try execute(begin)
        do {
            let result = try await body()
            guard try queryLast("COMMIT").tag == "COMMIT" else {
                throw PostgresError(
                    "could not commit a transaction in which a statement had failed",
                    detail: "The server has rolled it back.",
                    sqlState: "25P02"
                )
            }
            return result
        } catch {
            // The first failure is the one to tell; a session that is gone has rolled back by itself.
            if isInTransaction { try? execute("ROLLBACK") }
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
    func rows(of result: OpaquePointer?) throws(PostgresError) -> Rows {
        guard let result = unsafe result else { throw libpqFailure() }
        switch unsafe PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            return unsafe Rows(taking: result)
        case PGRES_COPY_IN, PGRES_COPY_OUT:
            unsafe PQclear(result)
            leaveCopy(saying: "a COPY was not expected here")
            throw PostgresError("cannot copy rows with a plain query", hint: "Use copyIn or copyOut.")
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
        // libpq's own errors have no fields.
        guard field(martlet_diag_sqlstate) != nil else { return libpqFailure() }
        return PostgresError(fields: field)
    }

    /// What failed without a word from the server: the session broke (08006), or libpq refused a call.
    func libpqFailure() -> PostgresError {
        if canceller.isCancelled { return .cancelled }
        let text = unsafe String(cString: PQerrorMessage(handle))
        let reason = text.split(whereSeparator: \.isNewline).joined(separator: "\n")
        // A write into a broken connection fails at first without a change of the status: the next read tells.
        if unsafe PQstatus(handle) == CONNECTION_OK { _ = unsafe PQconsumeInput(handle) }
        let isBroken = unsafe PQstatus(handle) != CONNECTION_OK
        guard !isBroken, !reason.contains("server closed the connection"), !reason.contains("could not send data")
        else {
            return PostgresError("lost the connection to \(target.place)", detail: reason, sqlState: "08006")
        }
        return PostgresError("could not send a statement", detail: reason)
    }

    /// libpq takes C strings: what follows a zero byte would be cut off without a word.
    static func refuseZeroBytes(in texts: [String]) throws(PostgresError) {
        guard texts.contains(where: { $0.utf8.contains(0) }) else { return }
        throw PostgresError(
            "cannot send a zero byte in a statement or a text parameter",
            detail: "PostgreSQL's text cannot hold one.",
            sqlState: "22021"
        )
    }

    /// Lays all texts into one block of memory: a parameter list may have 65535 of them.
    private static func withCStrings<Result>(
        _ texts: [String?],
        _ body: ([UnsafePointer<CChar>?]) -> Result
    ) -> Result {
        var block: [CChar] = []
        let offsets = texts.map { text -> Int? in
            guard let text else { return nil }
            defer { block.append(contentsOf: text.utf8CString) }
            return block.count
        }
        return unsafe block.withUnsafeBufferPointer { buffer in
            let pointers = unsafe offsets.map { offset in
                unsafe offset.flatMap { unsafe buffer.baseAddress?.advanced(by: $0) }
            }
            return unsafe body(pointers)
        }
    }
}

extension PostgresError {
    /// Takes over what the server said; a field is asked for by the byte that stands for it.
    init(fields field: (Int32) -> String?) {
        self.init(
            field(martlet_diag_message) ?? "the server failed without a word",
            detail: field(martlet_diag_detail),
            hint: field(martlet_diag_hint),
            sqlState: field(martlet_diag_sqlstate)
        )
        position = field(martlet_diag_position).flatMap { Int($0) }
        context = field(martlet_diag_context)
        column = field(martlet_diag_column)
        constraint = field(martlet_diag_constraint)
        if let schema = field(martlet_diag_schema), let name = field(martlet_diag_table) {
            table = QualifiedName(schema: schema, name: name)
        }
    }
}

/// A statement that a session has prepared.
public struct PreparedStatement: Sendable, Hashable {
    let name: String
    /// How many parameters it takes.
    public let parameterCount: Int
}
