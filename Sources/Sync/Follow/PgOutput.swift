import Postgres

/// The messages of the output plugin `pgoutput`, protocol version 1 (manual, "Logical Replication Message Formats").
///
/// Each is a view over the bytes as they came; nothing is copied.
enum PgOutput {
    enum Kind: UInt8 {
        case begin = 0x42  // B
        case commit = 0x43  // C
        case origin = 0x4F  // O
        case relation = 0x52  // R
        case type = 0x59  // Y
        case insert = 0x49  // I
        case update = 0x55  // U
        case delete = 0x44  // D
        case truncate = 0x54  // T
        case message = 0x4D  // M

        /// Whether the message is a change of one row.
        var isOfRow: Bool { self == .insert || self == .update || self == .delete }
    }

    @inline(__always)
    static func kind(of payload: UnsafeRawBufferPointer) -> Kind? {
        payload.isEmpty ? nil : Kind(rawValue: payload[0])
    }

    /// The relation that an insert, update, delete or relation message is about.
    @inline(__always)
    static func relation(of payload: UnsafeRawBufferPointer) -> UInt32 {
        payload.bigEndian(at: 1)
    }

    struct Begin {
        /// Where the commit record begins; it decides whether a transaction comes after a position.
        let commit: LSN

        init(_ payload: UnsafeRawBufferPointer) {
            commit = LSN(payload.bigEndian(at: 1))
        }
    }

    struct Commit {
        /// Where the commit record ends: the position to go on from once the transaction is applied.
        let end: LSN
        /// When it committed on the source, in microseconds since 2000-01-01 UTC.
        let time: Int64

        init(_ payload: UnsafeRawBufferPointer) {
            end = LSN(payload.bigEndian(at: 10))
            time = payload.bigEndian(at: 18)
        }
    }

    struct Relation {
        struct Column {
            let name: String
            let isKey: Bool
        }

        let id: UInt32
        let name: QualifiedName
        let columns: [Column]

        init(_ payload: UnsafeRawBufferPointer) {
            id = payload.bigEndian(at: 1)
            var offset = 5
            let schema = Self.string(in: payload, at: &offset)
            // An empty schema name stands for pg_catalog.
            name = QualifiedName(
                schema: schema.isEmpty ? "pg_catalog" : schema,
                name: Self.string(in: payload, at: &offset)
            )
            offset += 1
            let count = Int(payload.bigEndian(at: offset, as: Int16.self))
            offset += 2
            var columns: [Column] = []
            for _ in 0..<count {
                let isKey = payload[offset] & 1 == 1
                offset += 1
                columns.append(Column(name: Self.string(in: payload, at: &offset), isKey: isKey))
                offset += 8
            }
            self.columns = columns
        }

        private static func string(in payload: UnsafeRawBufferPointer, at offset: inout Int) -> String {
            let start = offset
            while payload[offset] != 0 { offset += 1 }
            defer { offset += 1 }
            return String(decoding: payload[start..<offset], as: UTF8.self)
        }
    }

    struct Truncate {
        let relations: [UInt32]

        init(_ payload: UnsafeRawBufferPointer) {
            let count = Int(payload.bigEndian(at: 1, as: Int32.self))
            relations = (0..<count).map { payload.bigEndian(at: 6 + 4 * $0) }
        }
    }

    struct Message {
        let prefix: String
        let content: String

        init(_ payload: UnsafeRawBufferPointer) {
            var end = 10
            while payload[end] != 0 { end += 1 }
            prefix = String(decoding: payload[10..<end], as: UTF8.self)
            let length = Int(payload.bigEndian(at: end + 1, as: Int32.self))
            content = String(decoding: payload[(end + 5)..<(end + 5 + length)], as: UTF8.self)
        }
    }

    /// The tuples of an insert, update or delete.
    struct Row {
        /// The old tuple: the key's columns only, or all of them.
        var old: UnsafeRawBufferPointer?
        /// Whether the old tuple is the whole row (REPLICA IDENTITY FULL).
        var oldIsWhole = false
        /// The new tuple.
        var new: UnsafeRawBufferPointer?

        init(_ payload: UnsafeRawBufferPointer) {
            var offset = 5
            while offset < payload.count {
                let mark = payload[offset]
                let length = Tuple.length(of: payload.suffix(at: offset + 1))
                let tuple = UnsafeRawBufferPointer(rebasing: payload[(offset + 1)..<(offset + 1 + length)])
                if mark == 0x4E {  // N
                    new = tuple
                } else {
                    old = tuple
                    oldIsWhole = mark == 0x4F  // O, as against K
                }
                offset += 1 + length
            }
        }
    }
}

/// A tuple as `pgoutput` writes it: a count of columns, then per column its kind and, for a value, length and bytes.
struct Tuple {
    /// A column's value: where its bytes are in the tuple.
    struct Slice {
        static let null = UInt8(ascii: "n")
        static let unchanged = UInt8(ascii: "u")

        /// `n` null, `u` unchanged TOAST that was not sent, `t` text, `b` binary.
        var kind: UInt8
        var offset: Int
        var length: Int
    }

    /// How many bytes a tuple takes that begins at the start of `bytes`.
    static func length(of bytes: UnsafeRawBufferPointer) -> Int {
        let count = Int(bytes.bigEndian(at: 0, as: Int16.self))
        var offset = 2
        for _ in 0..<count { offset += columnLength(in: bytes, at: offset) }
        return offset
    }

    /// Finds every column of a tuple; `slices` has as many elements as the tuple has columns.
    @inline(__always)
    static func slice(_ tuple: UnsafeRawBufferPointer, into slices: inout ContiguousArray<Slice>) {
        slices.removeAll(keepingCapacity: true)
        let count = Int(tuple.bigEndian(at: 0, as: Int16.self))
        var offset = 2
        for _ in 0..<count {
            let kind = tuple[offset]
            if hasBytes(kind) {
                let length = Int(tuple.bigEndian(at: offset + 1, as: Int32.self))
                slices.append(Slice(kind: kind, offset: offset + 5, length: length))
                offset += 5 + length
            } else {
                slices.append(Slice(kind: kind, offset: offset + 1, length: 0))
                offset += 1
            }
        }
    }

    /// Whether a column was left out because its TOASTed value did not change.
    static func hasUnchanged(_ slices: ContiguousArray<Slice>) -> Bool {
        slices.contains { $0.kind == Slice.unchanged }
    }

    /// Writes `newer` with its unchanged columns taken from `older`, and returns where it begins in `bytes`.
    ///
    /// When `older` holds only some columns, `places` names them.
    ///
    /// Both tuples may lie in `bytes`, whose memory moves when it grows, so they are given as offsets there.
    static func merge(
        newer: (offset: Int, length: Int),
        older: (offset: Int, length: Int),
        places: [Int]? = nil,
        in bytes: Bytes
    ) -> (Int, Int) {
        var newSlices: ContiguousArray<Slice> = []
        var oldSlices: ContiguousArray<Slice> = []
        slice(bytes.view(newer.offset, newer.length), into: &newSlices)
        slice(bytes.view(older.offset, older.length), into: &oldSlices)
        let start = bytes.count
        bytes.append(bigEndian: Int16(newSlices.count))
        for (column, new) in newSlices.enumerated() {
            let useOld = new.kind == Slice.unchanged && places?.contains(column) != false
            let slice = useOld ? oldSlices[column] : new
            let base = useOld ? older.offset : newer.offset
            bytes.append(bigEndian: slice.kind)
            guard hasBytes(slice.kind) else { continue }
            bytes.append(bigEndian: Int32(slice.length))
            let target = bytes.extend(by: slice.length)
            (bytes.start + target).copyMemory(from: bytes.start + base + slice.offset, byteCount: slice.length)
        }
        return (start, bytes.count - start)
    }

    @inline(__always)
    private static func hasBytes(_ kind: UInt8) -> Bool {
        kind != Slice.null && kind != Slice.unchanged
    }

    @inline(__always)
    private static func columnLength(in bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        hasBytes(bytes[offset]) ? 5 + Int(bytes.bigEndian(at: offset + 1, as: Int32.self)) : 1
    }
}
