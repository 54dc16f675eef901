private import CLibPQ

extension Connection {
    /// Runs `body`, which sends statements without waiting for their results, and then reads what is left of them.
    ///
    /// After the first error the server skips what follows; `body` need not notice.
    /// Bytes in flight stay below 1 MiB plus one statement: libpq moves
    /// its whole backlog in memory whenever a part of it goes out, and a server that cannot send
    /// results stops reading.
    ///
    /// Throws the first error of the server, or the first result whose number of rows was not the
    /// expected one, as ``PostgresError`` with SQLSTATE P0002. To undo what was sent before a wrong
    /// number of rows or an error of `body`, put the pipeline into a ``transaction(_:_:)``, whose
    /// COMMIT comes after all results; without one, the statements before each synchronization
    /// commit together, unless the server itself failed.
    public func pipeline(_ body: (Pipeline) throws(PostgresError) -> Void) throws(PostgresError) {
        try waiting { () throws(PostgresError) in
            guard unsafe PQenterPipelineMode(handle) == 1 else { throw libpqFailure() }
            let pipeline = Pipeline(connection: self)
            var failure: PostgresError?
            do throws(PostgresError) { try body(pipeline) } catch { failure = error }
            do throws(PostgresError) { try pipeline.synchronize() } catch { failure = failure ?? error }
            let exited = unsafe PQexitPipelineMode(handle)
            if let failure { throw failure }
            if exited != 1 { throw libpqFailure() }
        }
    }
}

/// Statements on their way to the server, whose results are still to come.
public final class Pipeline {
    private static let limit = 1 << 20

    let connection: Connection
    private var expected: [(rows: Int?, tag: UInt64)] = []
    private var bytesInFlight = 0
    /// The first failure since the last synchronization.
    private(set) var failure: PostgresError?

    /// Set before a statement is sent, it tells afterwards which one failed.
    public var tag: UInt64 = 0

    /// The tag of the statement whose failure ``synchronize()`` threw last.
    public private(set) var failedTag: UInt64 = 0

    /// The shortest time in which the server has answered to everything that was sent: near the round trip of the network.
    package private(set) var quickestAnswer: Duration?

    fileprivate init(connection: Connection) {
        self.connection = connection
    }

    /// Sends a prepared statement with parameters in binary form.
    ///
    /// `values` are the parameters' bytes as the types' receive functions read them; nil is NULL.
    /// They are copied. `rows` is the number of rows it must change; nil when any number is right.
    public func send(
        _ statement: PreparedStatement,
        _ values: [UnsafeRawBufferPointer?],
        expecting rows: Int? = nil
    ) throws(PostgresError) {
        let size = unsafe values.reduce(64) { unsafe $0 + ($1?.count ?? 0) }
        let count = unsafe values.count
        guard size < 1 << 30, count == statement.parameterCount else {
            throw PostgresError(
                "cannot send \(count) values of \(size) bytes",
                detail: "The statement takes \(statement.parameterCount) values, and a message is at most 1 GiB."
            )
        }
        try makeRoom(for: size)
        let pointers = unsafe values.map { unsafe $0.flatMap { unsafe Self.start(of: $0) } }
        let lengths = unsafe values.map { unsafe Int32($0?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: lengths.count)
        let sent = unsafe PQsendQueryPrepared(
            connection.handle,
            statement.name,
            Int32(lengths.count),
            unsafe pointers,
            lengths,
            formats,
            0
        )
        try note(sent: sent, bytes: size, expecting: rows)
    }

    /// Sends a statement without parameters.
    public func send(_ sql: SQL, expecting rows: Int? = nil) throws(PostgresError) {
        try Connection.refuseZeroBytes(in: [sql.text])
        let size = 64 + sql.text.utf8.count
        try makeRoom(for: size)
        let sent = unsafe PQsendQueryParams(connection.handle, sql.text, 0, nil, nil, nil, nil, 0)
        try note(sent: sent, bytes: size, expecting: rows)
    }

    /// Prepares a statement on the way, which can be sent at once.
    public func prepare(_ sql: SQL, types: [UInt32]) throws(PostgresError) -> PreparedStatement {
        try Connection.refuseZeroBytes(in: [sql.text])
        let name = connection.nextStatementName()
        let size = 64 + sql.text.utf8.count
        try makeRoom(for: size)
        let sent = unsafe PQsendPrepare(connection.handle, name, sql.text, Int32(types.count), types)
        try note(sent: sent, bytes: size, expecting: nil)
        return PreparedStatement(name: name, parameterCount: types.count)
    }

    /// Runs `COPY … FROM STDIN` with the bytes that `body` writes, after everything that was sent before; `rows` are to arrive.
    ///
    /// libpq knows no COPY in a pipeline, so this waits three times for the server. As with a statement, a
    /// failure is thrown by the next ``synchronize()``, and after one nothing is sent.
    public func copyIn(
        _ sql: SQL,
        expecting rows: Int,
        _ body: (CopyWriter) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        try settle()
        guard failure == nil else { return }
        guard unsafe PQexitPipelineMode(connection.handle) == 1 else { throw connection.libpqFailure() }
        do throws(PostgresError) {
            let affected = try connection.writeCopy(sql, body)
            if affected != rows { note(.rowCount(affected, expected: rows)) }
        } catch {
            if error.isConnectionLoss || error == .cancelled { throw error }
            note(error)
        }
        guard unsafe PQenterPipelineMode(connection.handle) == 1 else { throw connection.libpqFailure() }
    }

    /// Waits for the results of everything sent so far, and throws the first failure among them.
    public func synchronize() throws(PostgresError) {
        try settle()
        if let failure {
            self.failure = nil
            throw failure
        }
    }

    /// As ``synchronize()``, and keeps the failure for it.
    func settle() throws(PostgresError) {
        if connection.canceller.isCancelled { throw .cancelled }
        let start = ContinuousClock.now
        defer { connection.waits.add(since: start) }
        guard unsafe PQpipelineSync(connection.handle) == 1 else { throw failure ?? connection.libpqFailure() }
        try readResults()
        while let result = unsafe PQgetResult(connection.handle) {
            let isSync = unsafe PQresultStatus(result) == PGRES_PIPELINE_SYNC
            unsafe PQclear(result)
            if isSync { break }
        }
        let answer = start.duration(to: .now)
        quickestAnswer = min(answer, quickestAnswer ?? answer)
    }

    /// Keeps the failure of a statement that was sent with the present tag for the next ``synchronize()``.
    func note(_ failure: PostgresError) {
        self.failure = failure
        failedTag = tag
    }

    private func makeRoom(for size: Int) throws(PostgresError) {
        guard bytesInFlight > 0, bytesInFlight + size > Self.limit else { return }
        let start = ContinuousClock.now
        defer { connection.waits.add(since: start) }
        guard unsafe PQsendFlushRequest(connection.handle) == 1, unsafe PQflush(connection.handle) >= 0 else {
            throw failure ?? connection.libpqFailure()
        }
        try readResults()
    }

    private func note(sent: Int32, bytes: Int, expecting rows: Int?) throws(PostgresError) {
        guard sent == 1 else { throw failure ?? connection.libpqFailure() }
        expected.append((rows, tag))
        bytesInFlight += bytes
    }

    private func readResults() throws(PostgresError) {
        for (rows, tag) in expected {
            let hadFailed = failure != nil
            try readResult(expecting: rows)
            if !hadFailed, failure != nil { failedTag = tag }
        }
        expected.removeAll(keepingCapacity: true)
        bytesInFlight = 0
    }

    private func readResult(expecting rows: Int?) throws(PostgresError) {
        // One statement gives its result and then a null.
        while let result = unsafe PQgetResult(connection.handle) {
            guard unsafe PQresultStatus(result) != PGRES_PIPELINE_ABORTED else {
                unsafe PQclear(result)
                continue
            }
            do throws(PostgresError) {
                let affected = try unsafe connection.rows(of: result).affected
                guard let rows, affected != rows else { continue }
                failure = failure ?? .rowCount(affected, expected: rows)
            } catch {
                failure = failure ?? error
            }
        }
        guard unsafe PQstatus(connection.handle) == CONNECTION_OK else { throw failure ?? connection.libpqFailure() }
    }

    /// libpq takes a null pointer for NULL, so a value of no bytes needs an address that is not null; it is never read.
    private static func start(of bytes: UnsafeRawBufferPointer) -> UnsafePointer<CChar>? {
        unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? UnsafePointer(bitPattern: 1)
    }
}

extension PostgresError {
    /// The SQLSTATE of a statement that changed another number of rows than it must; PL/pgSQL's `no_data_found`.
    public static let wrongRowCount = "P0002"

    static func rowCount(_ affected: Int, expected: Int) -> PostgresError {
        PostgresError("\(affected) rows were changed where \(expected) must be", sqlState: wrongRowCount)
    }
}
