import Postgres

/// A message that lies in the spool and is read in pieces, in any order.
final class LargeMessage {
    private let large: SpoolReader.Large
    private var reader: SpoolReader
    /// The piece that was read last.
    private var current: (number: Int, bytes: UnsafeRawBufferPointer)?

    init(_ large: SpoolReader.Large, in spool: Spool) {
        self.large = large
        reader = SpoolReader(spool: spool, from: large.start)
        reader.refresh()
    }

    var length: Int { large.length }

    /// Hands over `count` bytes from `offset` on, piece by piece.
    func read(
        at offset: Int,
        count: Int,
        _ body: (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        var (offset, left) = (offset, count)
        while left > 0 {
            let rest = try piece(holding: offset).dropFirst(offset % large.pieceSize)
            guard !rest.isEmpty else { throw reader.isDamaged }
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(left))
            try body(part)
            offset += part.count
            left -= part.count
        }
    }

    /// The bytes of a value, which must be known to be small.
    func bytes(of slice: Tuple.Slice) throws(PostgresError) -> [UInt8] {
        try bytes(at: slice.offset, count: slice.length)
    }

    /// A value to be sent.
    func value(of slice: Tuple.Slice) -> StreamedValue? {
        guard slice.kind != Tuple.Slice.null, slice.kind != Tuple.Slice.unchanged else { return nil }
        return StreamedValue(length: slice.length) { send throws(PostgresError) in
            try self.read(at: slice.offset, count: slice.length, send)
        }
    }

    func number<Number: FixedWidthInteger>(
        at offset: Int,
        as type: Number.Type = Number.self
    ) throws(PostgresError)
        -> Number
    {
        try bytes(at: offset, count: MemoryLayout<Number>.size).reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }

    private func bytes(at offset: Int, count: Int) throws(PostgresError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        try read(at: offset, count: count) { bytes.append(contentsOf: $0) }
        return bytes
    }

    private func piece(holding offset: Int) throws(PostgresError) -> UnsafeRawBufferPointer {
        let number = offset / large.pieceSize
        if let current, current.number == number { return current.bytes }
        guard number < large.pieceCount, let bytes = try reader.piece(number, of: large) else {
            throw reader.isDamaged
        }
        current = (number, bytes)
        return bytes
    }
}

/// The tuples of an insert, update or delete that is too large to be held: what ``PgOutput/Row`` is to one in memory.
///
/// Only where the values lie is known; the offsets of the slices count from the message's start.
struct LargeRow {
    typealias Slices = ContiguousArray<Tuple.Slice>

    let message: LargeMessage
    /// The old tuple: the key's columns only, or all of them.
    private(set) var old: Slices?
    /// Whether the old tuple is the whole row (REPLICA IDENTITY FULL).
    private(set) var oldIsWhole = false
    /// The new tuple.
    private(set) var new: Slices?

    init(_ large: SpoolReader.Large, in spool: Spool) throws(PostgresError) {
        message = LargeMessage(large, in: spool)
        var offset = 5
        while offset < message.length {
            let mark: UInt8 = try message.number(at: offset)
            offset += 1
            let tuple = try Self.slices(of: message, at: &offset)
            if mark == 0x4E {  // N
                new = tuple
            } else {
                old = tuple
                oldIsWhole = mark == 0x4F  // O, as against K
            }
        }
    }

    private static func slices(of message: LargeMessage, at offset: inout Int) throws(PostgresError) -> Slices {
        let count: Int16 = try message.number(at: offset)
        offset += 2
        var slices: Slices = []
        for _ in 0..<count {
            let kind: UInt8 = try message.number(at: offset)
            offset += 1
            var length = 0
            if kind != Tuple.Slice.null, kind != Tuple.Slice.unchanged {
                length = Int(try message.number(at: offset, as: Int32.self))
                offset += 4
            }
            slices.append(Tuple.Slice(kind: kind, offset: offset, length: length))
            offset += length
        }
        return slices
    }
}
