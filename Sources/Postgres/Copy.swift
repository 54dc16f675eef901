private import CLibPQ
import Foundation

extension Connection {
    /// Runs `COPY … TO STDOUT`, hands its bytes to `body`, one message of the server at a time, and returns the number of rows.
    ///
    /// The buffer belongs to libpq and is valid only within the call. A message of text or binary
    /// COPY is one row, without any promise to stay so. When `body` throws, the COPY is cancelled on
    /// the server, which fails the transaction that it runs in.
    public func copyOut(
        _ sql: SQL,
        _ body: (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try waiting { () throws(PostgresError) in
            try startCopy(sql, expecting: PGRES_COPY_OUT)
            do throws(PostgresError) {
                while true {
                    var message: UnsafeMutablePointer<CChar>?
                    let length = unsafe PQgetCopyData(handle, &message, 0)
                    guard length > 0 else { break }
                    defer { unsafe PQfreemem(message) }
                    try unsafe body(UnsafeRawBufferPointer(start: message, count: Int(length)))
                }
            } catch {
                leaveCopy(saying: error.message)
                throw error
            }
            return try endCopy()
        }
    }

    /// Runs `COPY … FROM STDIN` with the bytes that `body` writes, and returns the number of rows.
    ///
    /// An error thrown by `body` fails the COPY on the server. An error of the server, such as a
    /// duplicate key, is thrown by the next write of 128 KiB, not only at the end.
    public func copyIn(
        _ sql: SQL,
        _ body: (CopyWriter) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try waiting { () throws(PostgresError) in try writeCopy(sql, body) }
    }

    /// As ``copyIn(_:_:)``, within the wait of a caller.
    func writeCopy(
        _ sql: SQL,
        _ body: (CopyWriter) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try startCopy(sql, expecting: PGRES_COPY_IN)
        let writer = CopyWriter(connection: self)
        unsafe PQsetnonblocking(handle, 1)
        do throws(PostgresError) {
            defer { setBlocking() }
            try body(writer)
            try writer.flush()
        } catch {
            // The server answers with an error of its own. The first one tells more, unless it
            // only says that the server no longer took rows.
            let answer = leaveCopy(saying: error.message)
            if writer.isRefused { throw answer ?? libpqFailure() }
            throw error
        }
        guard unsafe PQputCopyEnd(handle, nil) == 1 else {
            throw leaveCopy(saying: "the end could not be sent") ?? libpqFailure()
        }
        return try endCopy()
    }

    /// Copies rows from one server to another without looking at them, and returns the number that the target took.
    ///
    /// Bytes go from one buffer of the source into one of 128 KiB and from there to the target: small
    /// rows are sent together, which spares the target a quarter of its work, and a large one in pieces.
    /// `sourceSQL` is a `COPY … TO STDOUT` that runs on `source`. `progress` gets the rows and the
    /// bytes that were read since its last call, about every 128 KiB.
    ///
    /// When one side fails, the COPY of the other is cancelled, and the failure that came first is thrown.
    public func copyIn(
        _ sql: SQL,
        from source: Connection,
        _ sourceSQL: SQL,
        progress: (_ rows: Int, _ bytes: Int) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try copyIn(sql) { writer throws(PostgresError) in
            var rows = 0
            var bytes = 0
            _ = try unsafe source.copyOutInPieces(sourceSQL) { piece, isStart throws(PostgresError) in
                let flushed = try unsafe writer.write(piece)
                rows += isStart ? 1 : 0
                bytes += piece.count
                if flushed {
                    try progress(rows, bytes)
                    (rows, bytes) = (0, 0)
                }
            }
            try progress(rows, bytes)
        }
    }

    /// Sends what is left, and lets libpq block again.
    ///
    /// It does not while something is left to send; it would then read the answer while it sends, and wait for another one for ever.
    private func setBlocking() {
        while unsafe PQsetnonblocking(handle, 0) != 0, unsafe PQstatus(handle) == CONNECTION_OK {
            var socket = unsafe pollfd(fd: PQsocket(handle), events: Int16(POLLOUT | POLLIN), revents: 0)
            _ = unsafe poll(&socket, 1, 1000)
        }
    }

    private func startCopy(_ sql: SQL, expecting status: ExecStatusType) throws(PostgresError) {
        try Self.refuseZeroBytes(in: [sql.text])
        let result = unsafe PQexec(handle, sql.text)
        switch unsafe PQresultStatus(result) {
        case status:
            unsafe PQclear(result)
            return
        case PGRES_COPY_IN, PGRES_COPY_OUT:
            unsafe PQclear(result)
            leaveCopy(saying: "the COPY goes the wrong way")
        default:
            _ = try unsafe rows(of: result)
        }
        throw PostgresError("a COPY statement is needed here", detail: "The statement was: \(sql.text)")
    }

    /// Ends a COPY before its time, so that the session can go on, and returns what the server said to it.
    ///
    /// A COPY to us is cancelled: without that, libpq would read and drop the rest of the table.
    @discardableResult
    func leaveCopy(saying reason: String) -> PostgresError? {
        var message: UnsafeMutablePointer<CChar>?
        let isFromServer = unsafe PQputCopyEnd(handle, String(reason.prefix(500))) != 1
        if isFromServer, unsafe PQgetCopyData(handle, &message, 1) >= 0 {
            canceller.sendRequest()
            repeat { unsafe PQfreemem(message) } while unsafe PQgetCopyData(handle, &message, 0) > 0
        }
        do throws(PostgresError) {
            _ = try endCopy()
            return nil
        } catch {
            return error
        }
    }

    /// Reads the results of a COPY, and throws the first failure among them.
    private func endCopy() throws(PostgresError) -> Int {
        var affected = 0
        var failure: PostgresError?
        let start = ContinuousClock.now
        defer { waits.add(since: start) }
        while let result = unsafe PQgetResult(handle) {
            let status = unsafe PQresultStatus(result)
            guard status != PGRES_COPY_IN, status != PGRES_COPY_OUT else {
                // Another COPY in the same text, or one that did not end: it would come again for ever.
                unsafe PQclear(result)
                failure = failure ?? PostgresError("could not end a COPY")
                break
            }
            do throws(PostgresError) {
                affected = try unsafe rows(of: result).affected
            } catch {
                failure = failure ?? error
            }
            guard unsafe PQstatus(handle) == CONNECTION_OK else { break }
        }
        if let failure { throw failure }
        guard unsafe PQstatus(handle) == CONNECTION_OK else { throw libpqFailure() }
        return affected
    }
}

/// Gathers bytes for a running `COPY … FROM STDIN` and sends them 128 KiB at a time.
@safe public final class CopyWriter {
    private let connection: Connection
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 64)
    private var fill = 0

    /// Whether the server takes no more rows; its own error follows as a result.
    fileprivate private(set) var isRefused = false

    fileprivate init(connection: Connection) {
        self.connection = connection
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Adds bytes, which need not end at a row's end, and returns whether the buffer was sent to the server meanwhile.
    @discardableResult
    public func write(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) -> Bool {
        var flushed = false
        if unsafe fill + bytes.count > buffer.count {
            try flush()
            flushed = true
        }
        guard unsafe bytes.count <= buffer.count else {
            try unsafe send(bytes)
            return true
        }
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[fill...]).copyMemory(from: bytes)
        fill += bytes.count
        return flushed
    }

    /// As the other one, with bytes that are in an array.
    @discardableResult
    public func write(_ bytes: [UInt8]) throws(PostgresError) -> Bool {
        try unsafe bytes.withUnsafeBufferPointer { bytes throws(PostgresError) in
            try unsafe write(UnsafeRawBufferPointer(bytes))
        }
    }

    fileprivate func flush() throws(PostgresError) {
        defer { fill = 0 }
        try unsafe send(UnsafeRawBufferPointer(rebasing: buffer[..<fill]))
    }

    /// Sends in parts: a message of 1 GiB is more than the server takes.
    private func send(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            if connection.canceller.isCancelled { throw .cancelled }
            let part = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(buffer.count))
            let start = unsafe part.baseAddress?.assumingMemoryBound(to: CChar.self)
            guard !serverHasFailed(), unsafe PQputCopyData(connection.handle, start, Int32(part.count)) == 1 else {
                throw refused()
            }
            try waitUntilSent()
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
        }
    }

    /// Waits by ourselves, where a blocking libpq would read the server's error, keep it, and send on.
    private func waitUntilSent() throws(PostgresError) {
        while true {
            let left = unsafe PQflush(connection.handle)
            if left == 0 { return }
            guard left > 0, !serverHasFailed() else { throw refused() }
            if connection.canceller.isCancelled { throw .cancelled }
            let start = ContinuousClock.now
            defer { connection.waits.add(since: start) }
            var socket = unsafe pollfd(fd: PQsocket(connection.handle), events: Int16(POLLOUT | POLLIN), revents: 0)
            guard unsafe poll(&socket, 1, 1000) > 0, Int32(socket.revents) & POLLIN != 0 else { continue }
            guard !serverHasFailed(), unsafe PQconsumeInput(connection.handle) == 1 else { throw refused() }
        }
    }

    /// Whether the next message of the server is an error.
    ///
    /// libpq does not read messages before the end of a COPY to the server, which then drops the
    /// rest of a table after its first wrong row. On an encrypted connection nobody can look ahead,
    /// and the error comes at the end.
    private func serverHasFailed() -> Bool {
        guard !connection.isEncrypted else { return false }
        var kind: UInt8 = 0
        let length = unsafe recv(PQsocket(connection.handle), &kind, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return length == 1 && kind == UInt8(ascii: "E")
    }

    private func refused() -> PostgresError {
        isRefused = true
        return PostgresError("the server takes no more rows of a COPY")
    }
}
