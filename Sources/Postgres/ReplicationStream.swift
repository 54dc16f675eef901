private import CLibPQ
import Foundation

/// A replication slot as it was created, with the one snapshot that fits it.
public struct CreatedSlot: Sendable, Hashable {
    /// The slot's name.
    public let name: String
    /// Where decoding starts: every transaction that commits from here on is streamed, every earlier one is in the snapshot.
    public let consistentPoint: LSN
    /// The exported snapshot; it lives until the next command on the connection that made it.
    public let snapshot: String
}

extension Connection {
    /// Creates a logical slot of `pgoutput` and exports the snapshot that fits its consistent point.
    ///
    /// Waits until every transaction that runs now and has written has ended; `lock_timeout` bounds
    /// that wait. Needs a connection with `replication=database`. Uses one slot and, while it is
    /// being created, one WAL sender. A temporary slot goes away with the connection. (Manual,
    /// "Streaming Replication Protocol".)
    public func createSlot(_ name: Identifier, isTemporary: Bool) throws(PostgresError) -> CreatedSlot {
        let temporary: SQL = isTemporary ? "TEMPORARY " : ""
        let failover: SQL = majorVersion >= 17 && !isTemporary ? ", FAILOVER true" : ""
        let rows = try queryLast(
            "CREATE_REPLICATION_SLOT \(name) \(temporary)LOGICAL pgoutput \(slotOptions(failover))"
        )
        guard let row = rows.first else {
            throw PostgresError("the server did not say where slot \(name.quoted) starts")
        }
        return CreatedSlot(
            name: name.name,
            consistentPoint: try row("consistent_point"),
            snapshot: try row("snapshot_name")
        )
    }

    /// PostgreSQL 15 brought the options in parentheses; older servers have a word of their own.
    private func slotOptions(_ failover: SQL) -> SQL {
        majorVersion >= 15 ? "(SNAPSHOT 'export'\(failover))" : "EXPORT_SNAPSHOT"
    }

    /// Starts to stream a logical slot.
    ///
    /// Transactions whose commit record begins before `start` are left out. A position before what
    /// the slot has confirmed is *silently* moved forward by the server, so check it before. Values
    /// come as text, or with `isBinary` as their types' send functions write them. A change of
    /// `largeChange` bytes or more comes in pieces, unless only libpq can read the session's bytes
    /// (see ``Transport``). The connection serves for nothing else afterwards.
    public func startReplication(
        slot: Identifier,
        publication: Identifier,
        from start: LSN,
        isBinary: Bool,
        largeChange: Int = ReplicationStream.largeChange
    ) throws(PostgresError) -> ReplicationStream {
        try waiting { () throws(PostgresError) in
            // The grammar of replication commands knows no E'' and no backslash: only the quote is doubled.
            let options = SQL.joined(
                pluginOptions(publication, isBinary: isBinary).map { name, value in
                    SQL(trusting: "\(name) '" + value.prefixing(["'"], with: "'") + "'")
                }
            )
            let sql: SQL = """
                START_REPLICATION SLOT \(slot) LOGICAL \(SQL(trusting: start.description)) (\(options))
                """
            try Self.refuseZeroBytes(in: [sql.text])
            if let transport = Transport(of: self) {
                let messages = ServerMessages(transport, wholeLimit: ReplicationStream.headerSize + largeChange)
                try startStream(sql, messages)
                return ReplicationStream(connection: self, messages: messages)
            }
            let result = unsafe PQexec(handle, sql.text)
            guard unsafe PQresultStatus(result) == PGRES_COPY_BOTH else {
                _ = try unsafe rows(of: result)
                throw PostgresError("the server did not start to stream slot \(slot.quoted)")
            }
            unsafe PQclear(result)
            return ReplicationStream(connection: self)
        }
    }

    /// What is asked of the output plugin.
    func pluginOptions(_ publication: Identifier, isBinary: Bool) -> [(name: String, value: String)] {
        let old = [("proto_version", "1"), ("publication_names", publication.quoted)]
        return majorVersion < 14 ? old : old + [("messages", "true"), ("binary", "\(isBinary)")]
    }

    private func startStream(_ sql: SQL, _ messages: ServerMessages) throws(PostgresError) {
        try messages.transport.write(query: sql)
        var failure: PostgresError?
        while true {
            guard case .message(let kind, let body) = try unsafe messages.wait() else { continue }
            switch kind {
            case UInt8(ascii: "W"): return
            case UInt8(ascii: "E"): failure = unsafe PostgresError(response: body)
            case UInt8(ascii: "Z"): throw failure ?? PostgresError("the server did not start to stream")
            default: break
            }
        }
    }
}

/// What a server streams out of a slot.
public final class ReplicationStream {
    /// A message of the server; its bytes are valid only while the handler runs.
    @unsafe public enum Message {
        /// A message of the output plugin.
        case change(walStart: LSN, payload: UnsafeRawBufferPointer)
        /// The next bytes of one that is too large to be held: of `length` bytes, those from `offset` on. None comes between.
        case piece(walStart: LSN, bytes: UnsafeRawBufferPointer, offset: Int, length: Int)
        /// The server has sent everything up to `walEnd`; it may want an answer.
        case keepalive(walEnd: LSN, wantsReply: Bool)
    }

    /// A change of so many bytes or more comes in pieces, when nothing else is wanted.
    public static let largeChange = 4 << 20

    /// 'w', start of the data, end of the log, clock: 1 + 3 × 8 bytes, then the payload (manual, "XLogData").
    fileprivate static let headerSize = 25

    private let connection: Connection
    /// nil where libpq has to read.
    private let messages: ServerMessages?
    /// The position of the change that comes in pieces.
    private var walStart = LSN.zero
    /// Whether the sender is on this machine, where it carries out the receiving, too: each of its messages goes through
    /// the network by itself, at three times the cost, unless it finds no room with us and is gathered with the next.
    private let sendsToItself: Bool
    private var flow = Flow()

    fileprivate init(connection: Connection, messages: ServerMessages? = nil) {
        self.connection = connection
        self.messages = messages
        sendsToItself = messages?.transport.isLoopback == true
        if sendsToItself { messages?.transport.limitUnread(to: 32 << 10) }
    }

    /// Handles every message that has come, then returns; in a stream in full flow, every 2 ms.
    ///
    /// It does not wait for the socket while messages come, but reads it every 200 µs: a reader that
    /// wakes for each message makes the server's sender burn twice the processor time, and halves the
    /// rate. `timeout` is in milliseconds; returns false when nothing came in that time.
    public func receive(
        timeout: Int32,
        _ handler: (Message) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Bool {
        if connection.canceller.isCancelled { throw .cancelled }
        let end = ContinuousClock.now + .milliseconds(2)
        var any = try unsafe drain(handler) > 0
        repeat {
            usleep(sendsToItself && flow.isFull ? 4000 : 200)
            let bytes = try unsafe readSocket(handler)
            flow.note(bytes)
            guard bytes > 0 else { break }
            any = true
        } while ContinuousClock.now < end
        if any { return true }
        var interest = unsafe pollfd(fd: PQsocket(connection.handle), events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&interest, 1, timeout) > 0 else { return false }
        return try unsafe readSocket(handler) > 0
    }

    /// Tells the server how far we are (manual, "Standby status update").
    ///
    /// The server may throw away its log before `flushed`, and will not send transactions that
    /// committed before it again. With `wantsReply` it answers with a keepalive at once.
    public func sendStatus(received: LSN, flushed: LSN, wantsReply: Bool = false) throws(PostgresError) {
        var status: [UInt8] = [UInt8(ascii: "r")]
        status.append(bigEndian: received.value)
        status.append(bigEndian: flushed.value)
        status.append(bigEndian: flushed.value)
        status.append(bigEndian: Int64(Date().timeIntervalSince1970 - 946_684_800) * 1_000_000)
        status.append(wantsReply ? 1 : 0)
        guard let messages else { return try sendByLibpq(status) }
        var message = [ServerMessages.copyData]
        message.append(bigEndian: UInt32(4 + status.count))
        try messages.transport.write(message + status)
    }

    // MARK: Our own reading

    /// Handles what lies in the socket, and returns how many bytes that was.
    private func readSocket(_ handler: (Message) throws(PostgresError) -> Void) throws(PostgresError) -> Int {
        guard let messages else { return try unsafe readByLibpq(handler) }
        var total = 0
        // Not without end: what has come is to be published, and the server wants to hear of us.
        while total < 1 << 20 {
            let bytes = try messages.fill()
            total += bytes
            _ = try unsafe drain(handler)
            guard bytes > (sendsToItself ? 8 : 64) << 10 else { break }
        }
        return total
    }

    /// Handles what is in memory, and returns how many messages and pieces that was.
    private func drain(_ handler: (Message) throws(PostgresError) -> Void) throws(PostgresError) -> Int {
        guard let messages else { return try unsafe drainLibpq(handler) }
        var count = 0
        while let event = try unsafe messages.next() {
            count += 1
            switch unsafe event {
            case .message(ServerMessages.copyData, let body):
                if let message = unsafe Self.parse(body) { try unsafe handler(message) }
            case .message(UInt8(ascii: "E"), let fields): throw unsafe PostgresError(response: fields)
            case .message(let kind, _) where "cCZ".utf8.contains(kind):
                throw messages.transport.lost("The server ended the stream.")
            case .message: break
            case .piece(let bytes, let offset, let length):
                try unsafe takePiece(bytes, offset: offset, length: length, handler)
            }
        }
        return count
    }

    private func takePiece(
        _ bytes: UnsafeRawBufferPointer,
        offset: Int,
        length: Int,
        _ handler: (Message) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        let header = Self.headerSize
        var payload = unsafe bytes
        if offset == 0 {
            guard unsafe bytes[0] == UInt8(ascii: "w") else {
                throw messages?.transport.lost("The server sent a message that is not known.") ?? .cancelled
            }
            walStart = unsafe Self.position(in: bytes, at: 1)
            unsafe payload = UnsafeRawBufferPointer(rebasing: bytes[header...])
        }
        let piece = unsafe Message.piece(
            walStart: walStart,
            bytes: payload,
            offset: max(offset - header, 0),
            length: length - header
        )
        try unsafe handler(piece)
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) -> Message? {
        switch unsafe bytes.first {
        case UInt8(ascii: "w") where bytes.count >= headerSize:
            let payload = unsafe UnsafeRawBufferPointer(rebasing: bytes[headerSize...])
            return unsafe .change(walStart: position(in: bytes, at: 1), payload: payload)
        case UInt8(ascii: "k") where bytes.count >= 18:
            return unsafe .keepalive(walEnd: position(in: bytes, at: 1), wantsReply: bytes[17] == 1)
        default:
            return nil
        }
    }

    private static func position(in bytes: UnsafeRawBufferPointer, at offset: Int) -> LSN {
        unsafe LSN(UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
    }

    // MARK: By libpq

    private func readByLibpq(_ handler: (Message) throws(PostgresError) -> Void) throws(PostgresError) -> Int {
        var total = 0
        for _ in 0..<64 {
            // Twice when encrypted: libpq may leave half of a TLS record inside OpenSSL, where poll does not see it.
            for _ in 0..<(connection.isEncrypted ? 2 : 1) {
                guard unsafe PQconsumeInput(connection.handle) == 1 else { throw connection.libpqFailure() }
            }
            let bytes = try unsafe drainLibpq(handler)
            total += bytes
            // libpq reads 16 KiB at a time: when that was full, more lies in the socket.
            guard bytes > 8 << 10 else { break }
        }
        return total
    }

    /// Handles what libpq has read, and returns how many bytes that was.
    private func drainLibpq(_ handler: (Message) throws(PostgresError) -> Void) throws(PostgresError) -> Int {
        var total = 0
        while true {
            var start: UnsafeMutablePointer<CChar>?
            let length = unsafe PQgetCopyData(connection.handle, &start, 1)
            if length == 0 { return total }
            guard length > 0 else { throw ended() }
            defer { unsafe PQfreemem(start) }
            total += Int(length)
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: Int(length))
            if let message = unsafe Self.parse(bytes) { try unsafe handler(message) }
        }
    }

    /// The stream is over only when the server ends it: it was terminated, shut down, or the slot was taken away.
    private func ended() -> PostgresError {
        while let result = unsafe PQgetResult(connection.handle) {
            defer { unsafe PQclear(result) }
            if unsafe PQresultStatus(result) == PGRES_FATAL_ERROR { return unsafe connection.error(in: result) }
            guard unsafe PQresultStatus(result) != PGRES_COPY_BOTH, unsafe PQresultStatus(result) != PGRES_COPY_IN
            else { break }
        }
        return connection.libpqFailure()
    }

    private func sendByLibpq(_ status: [UInt8]) throws(PostgresError) {
        let sent = unsafe status.withUnsafeBytes { buffer in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe PQputCopyData(connection.handle, start, Int32(buffer.count))
        }
        guard sent == 1, unsafe PQflush(connection.handle) >= 0 else { throw connection.libpqFailure() }
    }
}

/// Whether a stream brings so much that there must be a backlog, and a look every few milliseconds is soon enough.
private struct Flow {
    private(set) var isFull = false
    private var bytes = 0
    private var began = ContinuousClock.now

    mutating func note(_ count: Int) {
        bytes += count
        let passed = began.duration(to: .now)
        guard passed >= .milliseconds(10) else { return }
        // 4 MB in a second are about 40,000 small changes.
        isFull = Duration.microseconds(bytes / 4) > passed
        (bytes, began) = (0, .now)
    }
}
