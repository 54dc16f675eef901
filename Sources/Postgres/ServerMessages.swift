import Foundation

/// Reads the messages of the server from a ``Transport``: small ones whole, rows of any size in pieces.
///
/// A message is one byte that tells its kind, four bytes with the length of what follows, themselves
/// included, and its body (manual, "Message Formats").
@safe final class ServerMessages {
    /// What was read; the bytes are valid until the next call.
    @unsafe enum Event {
        /// A whole message.
        case message(kind: UInt8, body: UnsafeRawBufferPointer)
        /// The next bytes of a CopyData that is too large to be held; `offset` is where they lie in its body of `length` bytes.
        case piece(UnsafeRawBufferPointer, offset: Int, length: Int)
    }

    static let copyData = UInt8(ascii: "d")

    /// The first piece of a message has at least so many bytes.
    static let shortestPiece = 64

    /// A message of the server that is no row and larger than this says that we read from the wrong byte on.
    private static let longestOther = 16 << 20

    let transport: Transport
    private let wholeLimit: Int
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    /// How far the message that comes in pieces is.
    private var open: (passed: Int, length: Int)?

    /// `wholeLimit`: a CopyData of this size or larger comes in pieces.
    init(_ transport: Transport, wholeLimit: Int = 256 << 10, capacity: Int = 256 << 10) {
        self.transport = transport
        self.wholeLimit = wholeLimit
        unsafe buffer = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// What lies in memory; nil when more must be read, see ``fill()``.
    func next() throws(PostgresError) -> Event? {
        if let open { return unsafe nextPiece(of: open) }
        guard end - start >= 5 else { return nil }
        let kind = unsafe buffer[start]
        let size = unsafe buffer.loadUnaligned(fromByteOffset: start + 1, as: UInt32.self)
        let length = Int(UInt32(bigEndian: size)) - 4
        guard length >= 0, Self.isKnown(kind), kind == Self.copyData || length <= Self.longestOther else {
            transport.giveUp()
            throw PostgresError(
                "lost the connection: the server sent a message of kind \(kind) and \(length) bytes",
                sqlState: "08006"
            )
        }
        if kind == Self.copyData, length >= wholeLimit {
            guard end - start >= 5 + min(length, Self.shortestPiece) else { return nil }
            start += 5
            open = (0, length)
            return unsafe nextPiece(of: (0, length))
        }
        guard end - start >= 5 + length else {
            if unsafe 5 + length > buffer.count { grow(to: 5 + length) }
            return nil
        }
        defer { start += 5 + length }
        return unsafe .message(kind: kind, body: view(start + 5, length))
    }

    /// Reads from the server without waiting, and returns how many bytes that brought.
    func fill() throws(PostgresError) -> Int {
        if start > 0 {
            let left = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<(end - start)])
            unsafe left.copyMemory(from: view(start, end - start))
            (start, end) = (0, end - start)
        }
        var total = 0
        while unsafe end < buffer.count {
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
            let count = try unsafe transport.read(into: room)
            end += count
            total += count
            // To look again at once would keep the server busy with waking us for every few bytes.
            if count == 0 || count < room.count && !transport.hasRecords { break }
        }
        return total
    }

    /// The next message, for as long as that takes.
    func wait() throws(PostgresError) -> Event {
        while true {
            if let event = try unsafe next() { return unsafe event }
            if try fill() == 0 { transport.waitToRead(timeout: 1000) }
        }
    }

    private func nextPiece(of message: (passed: Int, length: Int)) -> Event? {
        let count = min(end - start, message.length - message.passed)
        guard count > 0 else { return nil }
        defer { start += count }
        let passed = message.passed + count
        open = passed < message.length ? (passed, message.length) : nil
        return unsafe .piece(view(start, count), offset: message.passed, length: message.length)
    }

    private func view(_ offset: Int, _ length: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + length])
    }

    private func grow(to size: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        unsafe larger.copyMemory(from: view(start, end - start))
        unsafe buffer.deallocate()
        unsafe buffer = larger
        (start, end) = (0, end - start)
    }

    /// Whether a server may send a message of this kind while we read: anything else is the middle of something.
    private static func isKnown(_ kind: UInt8) -> Bool {
        "dcHWGCZENSATDI12n3st".utf8.contains(kind)
    }
}

extension PostgresError {
    /// Reads an ErrorResponse: fields of one byte that tells which, and a text that ends with a zero byte.
    init(response body: UnsafeRawBufferPointer) {
        var fields: [Int32: String] = [:]
        for field in unsafe Array(body).split(separator: 0) {
            guard let kind = field.first else { continue }
            fields[Int32(kind)] = String(decoding: field.dropFirst(), as: UTF8.self)
        }
        self.init(fields: { fields[$0] })
    }
}
