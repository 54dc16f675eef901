private import CLibPQ

extension Connection {
    /// Starts `COPY … TO STDOUT` and hands its bytes to `body`, one message of the server at a time.
    ///
    /// The buffer belongs to libpq and is valid only within the call. A message of text or binary
    /// COPY is one row, without any promise to stay so.
    ///
    /// - Returns: how many rows were copied.
    public func copyOut(
        _ sql: SQL,
        _ body: (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try waiting { () throws(PostgresError) in
            try startCopy(sql, expecting: PGRES_COPY_OUT)
            while true {
                var message: UnsafeMutablePointer<CChar>?
                let length = unsafe PQgetCopyData(handle, &message, 0)
                guard length > 0 else { break }
                defer { unsafe PQfreemem(message) }
                try unsafe body(UnsafeRawBufferPointer(start: message, count: Int(length)))
            }
            return try endCopy()
        }
    }

    /// Runs `COPY … FROM STDIN` with the bytes that `body` writes; an error thrown by `body` fails the COPY on the server.
    ///
    /// - Returns: how many rows were copied.
    public func copyIn(
        _ sql: SQL,
        _ body: (CopyWriter) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try waiting { () throws(PostgresError) in
            try startCopy(sql, expecting: PGRES_COPY_IN)
            let writer = CopyWriter(connection: self)
            do throws(PostgresError) {
                try body(writer)
                try writer.flush()
            } catch {
                unsafe PQputCopyEnd(handle, error.message)
                // The server answers a failed COPY with an error of its own; the first one tells more,
                // unless it only says that the server had stopped to read.
                let answer = endFailedCopy()
                if let answer, error == .copyRefused { throw answer }
                throw error
            }
            guard unsafe PQputCopyEnd(handle, nil) == 1 else { throw connectionLost() }
            return try endCopy()
        }
    }

    /// Copies rows from one server to another without looking at them.
    ///
    /// Bytes go from libpq's buffer of the source into one buffer of 128 KiB and from there to the
    /// target: small rows are sent together, which spares the target a quarter of its work.
    ///
    /// - Parameters:
    ///   - source: runs `sourceSQL`, a `COPY … TO STDOUT`.
    ///   - progress: gets the rows and the bytes that were read since its last call, about every 128 KiB.
    /// - Returns: the number of rows that the target took.
    public func copyIn(
        _ sql: SQL,
        from source: Connection,
        _ sourceSQL: SQL,
        progress: (_ rows: Int, _ bytes: Int) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try copyIn(sql) { writer throws(PostgresError) in
            var rows = 0
            var bytes = 0
            _ = try unsafe source.copyOut(sourceSQL) { message throws(PostgresError) in
                let flushed = try unsafe writer.write(message)
                rows += 1
                bytes += message.count
                if flushed {
                    try progress(rows, bytes)
                    (rows, bytes) = (0, 0)
                }
            }
            try progress(rows, bytes)
        }
    }

    private func startCopy(_ sql: SQL, expecting status: ExecStatusType) throws(PostgresError) {
        let result = unsafe PQexec(handle, sql.text)
        let actual = unsafe PQresultStatus(result)
        _ = try unsafe rows(of: result, statement: sql)
        guard actual == status else {
            throw PostgresError("a COPY statement is needed here", detail: "The statement was: \(sql.text)")
        }
    }

    private func endFailedCopy() -> PostgresError? {
        do throws(PostgresError) {
            _ = try endCopy()
            return nil
        } catch {
            return error
        }
    }

    private func endCopy() throws(PostgresError) -> Int {
        var affected = 0
        var failure: PostgresError?
        while let result = unsafe PQgetResult(handle) {
            do throws(PostgresError) {
                affected = try unsafe rows(of: result).affected
            } catch {
                failure = failure ?? error
            }
            guard unsafe PQstatus(handle) == CONNECTION_OK else { break }
        }
        if let failure { throw failure }
        guard unsafe PQstatus(handle) == CONNECTION_OK else { throw connectionLost() }
        return affected
    }

    fileprivate func put(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) {
        var rest = unsafe bytes
        // libpq takes an Int32 of bytes at once.
        while unsafe !rest.isEmpty {
            let part = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            let start = unsafe part.baseAddress?.assumingMemoryBound(to: CChar.self)
            guard unsafe PQputCopyData(handle, start, Int32(part.count)) == 1 else { throw .copyRefused }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
        }
    }
}

/// Gathers bytes for a running `COPY … FROM STDIN` and sends them 128 KiB at a time.
@safe public final class CopyWriter {
    private let connection: Connection
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 64)
    private var fill = 0

    fileprivate init(connection: Connection) {
        self.connection = connection
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Adds bytes; they need not end at a row's end.
    ///
    /// - Returns: whether the buffer was sent to the server meanwhile.
    @discardableResult
    public func write(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) -> Bool {
        var flushed = false
        if unsafe fill + bytes.count > buffer.count {
            try flush()
            flushed = true
        }
        guard unsafe bytes.count <= buffer.count else {
            try unsafe connection.put(bytes)
            return true
        }
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[fill...]).copyMemory(from: bytes)
        fill += bytes.count
        return flushed
    }

    fileprivate func flush() throws(PostgresError) {
        try unsafe connection.put(UnsafeRawBufferPointer(rebasing: buffer[..<fill]))
        fill = 0
    }
}

extension PostgresError {
    /// The server no longer takes COPY data; its own error follows as a result.
    fileprivate static let copyRefused = PostgresError("the server refused the rows of a COPY", sqlState: "08006")
}
