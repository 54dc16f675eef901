import Foundation

extension Connection {
    /// As ``copyOut(_:_:)``, with rows of any size in bounded memory: a large one is handed over in pieces.
    ///
    /// `isStart` tells whether a row begins with the bytes. Where the session's bytes are out of
    /// reach (see ``Transport``) libpq reads them, and rows are whole; so are those below `wholeLimit` bytes.
    func copyOutInPieces(
        _ sql: SQL,
        wholeLimit: Int = 256 << 10,
        _ body: (_ bytes: UnsafeRawBufferPointer, _ isStart: Bool) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        guard let transport = Transport(of: self) else {
            return try unsafe copyOut(sql) { row throws(PostgresError) in try unsafe body(row, true) }
        }
        try Self.refuseZeroBytes(in: [sql.text])
        return try waiting { () throws(PostgresError) in
            let messages = ServerMessages(transport, wholeLimit: wholeLimit)
            do throws(PostgresError) {
                try transport.write(query: sql)
            } catch {
                transport.giveUp()
                throw error
            }
            return try unsafe readCopy(messages, of: sql, body)
        }
    }

    /// Reads what the server says to a COPY, up to the point where it waits for the next statement.
    private func readCopy(
        _ messages: ServerMessages,
        of sql: SQL,
        _ body: (_ bytes: UnsafeRawBufferPointer, _ isStart: Bool) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        var (failure, answer): (PostgresError?, PostgresError?)
        var (rows, isCopy) = (0, false)
        func handOver(_ bytes: UnsafeRawBufferPointer, isStart: Bool) {
            guard failure == nil else { return }
            do throws(PostgresError) {
                try unsafe body(bytes, isStart)
            } catch {
                failure = error
                // Without that, the rest of the table would have to be read.
                canceller.sendRequest()
            }
        }
        while true {
            switch try unsafe messages.wait() {
            case .piece(let bytes, let offset, _): unsafe handOver(bytes, isStart: offset == 0)
            case .message(ServerMessages.copyData, let bytes): unsafe handOver(bytes, isStart: true)
            case .message(UInt8(ascii: "H"), _): isCopy = true
            case .message(UInt8(ascii: "C"), let tag): rows = unsafe Self.affected(tag)
            case .message(UInt8(ascii: "E"), let fields): answer = unsafe answer ?? PostgresError(response: fields)
            case .message(UInt8(ascii: "G"), _):
                messages.transport.giveUp()
                throw Self.noCopy(sql)
            case .message(UInt8(ascii: "Z"), _):
                if let failure = failure ?? answer { throw failure }
                guard isCopy else { throw Self.noCopy(sql) }
                return rows
            default: break
            }
        }
    }

    private static func noCopy(_ sql: SQL) -> PostgresError {
        PostgresError("a COPY statement is needed here", detail: "The statement was: \(sql.text)")
    }

    /// The number at the end of a command tag, which ends with a zero byte.
    static func affected(_ tag: UnsafeRawBufferPointer) -> Int {
        let words = unsafe String(decoding: tag.dropLast(), as: UTF8.self).split(separator: " ")
        return words.last.flatMap { Int($0) } ?? 0
    }
}

extension Transport {
    /// Sends a statement in the simple protocol.
    func write(query sql: SQL) throws(PostgresError) {
        var message: [UInt8] = [UInt8(ascii: "Q")]
        message.append(bigEndian: UInt32(4 + sql.text.utf8.count + 1))
        message += Array(sql.text.utf8) + [0]
        try write(message)
    }

    func write(_ bytes: [UInt8]) throws(PostgresError) {
        try unsafe bytes.withUnsafeBufferPointer { bytes throws(PostgresError) in
            try unsafe write(UnsafeRawBufferPointer(bytes))
        }
    }
}

extension [UInt8] {
    /// Adds a whole number in network order.
    mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        unsafe Swift.withUnsafeBytes(of: number.bigEndian) { unsafe append(contentsOf: $0) }
    }
}
