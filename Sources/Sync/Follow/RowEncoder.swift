import Postgres

/// Writes a set of tuples as the parameters of a set-based statement.
///
/// Binary: one array of the table's row type (`array_recv` and `record_recv` in PostgreSQL):
///
///     i32 dimensions = 1, i32 hasNull = 0, i32 OID of the row type, i32 number of rows, i32 lower bound = 1
///     per row:  i32 bytes that follow, i32 number of columns
///               per column:  i32 OID of its type, i32 length or -1, the bytes as the stream brought them
///
/// Text: one array of `text` per column, in the same form with plain elements.
struct RowEncoder {
    let format: ValueFormat
    private let output = Bytes(capacity: 256 << 10)
    private var slices: ContiguousArray<Tuple.Slice> = []

    init(format: ValueFormat) {
        self.format = format
    }

    /// Encodes entries of `table` and hands the parameters to `body`; they are valid only there.
    ///
    /// `places` are the columns that a text statement takes, in the order of its parameters.
    mutating func encode(
        _ entries: some Collection<ChangeSet.Entry>,
        of table: LaneTable,
        places: [Int],
        _ body: ([UnsafeRawBufferPointer?]) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        output.removeAll()
        switch format {
        case .binary:
            writeRows(entries, of: table)
            try body([output.view])
        case .text:
            var bounds: [Int] = []
            for place in places {
                bounds.append(output.count)
                writeColumn(place, of: entries, in: table)
            }
            bounds.append(output.count)
            try body(zip(bounds, bounds.dropFirst()).map { output.view($0, $1 - $0) })
        }
    }

    /// Writes entries of `table` as a binary COPY of the columns at `places` (manual, "COPY", "Binary Format").
    mutating func copy(
        _ entries: some Collection<ChangeSet.Entry>,
        of table: LaneTable,
        places: [Int],
        to writer: CopyWriter
    ) throws(PostgresError) {
        output.removeAll()
        Self.copySignature.withUnsafeBytes { _ = output.append($0) }
        for entry in entries {
            let tuple = table.changes.bytes.view(entry.tuple, entry.length)
            Tuple.slice(tuple, into: &slices)
            output.append(bigEndian: Int16(places.count))
            for place in places { write(slices[place], of: tuple) }
            try writer.write(output.view)
            output.removeAll()
        }
        output.append(bigEndian: Int16(-1))
        try writer.write(output.view)
    }

    /// `PGCOPY`, bytes that a careless transport would spoil, no flags, no extension.
    private static let copySignature: [UInt8] =
        Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + [UInt8](repeating: 0, count: 8)

    private mutating func writeRows(_ entries: some Collection<ChangeSet.Entry>, of table: LaneTable) {
        writeHeader(element: table.rowType, count: entries.count, hasNulls: false)
        for entry in entries {
            let tuple = table.changes.bytes.view(entry.tuple, entry.length)
            Tuple.slice(tuple, into: &slices)
            let lengthAt = output.extend(by: 4)
            output.append(bigEndian: Int32(table.rowLayout.count))
            for (type, place) in table.rowLayout {
                output.append(bigEndian: type)
                write(place.map { slices[$0] }, of: tuple)
            }
            output.store(bigEndian: Int32(output.count - lengthAt - 4), at: lengthAt)
        }
    }

    private mutating func writeColumn(_ place: Int, of entries: some Collection<ChangeSet.Entry>, in table: LaneTable) {
        writeHeader(element: ValueFormat.textType, count: entries.count, hasNulls: true)
        for entry in entries {
            let tuple = table.changes.bytes.view(entry.tuple, entry.length)
            Tuple.slice(tuple, into: &slices)
            write(slices[place], of: tuple)
        }
    }

    private func writeHeader(element: UInt32, count: Int, hasNulls: Bool) {
        output.append(bigEndian: Int32(1))
        output.append(bigEndian: Int32(hasNulls ? 1 : 0))
        output.append(bigEndian: element)
        output.append(bigEndian: Int32(count))
        output.append(bigEndian: Int32(1))
    }

    @inline(__always)
    private func write(_ slice: Tuple.Slice?, of tuple: UnsafeRawBufferPointer) {
        guard let slice, slice.kind != Tuple.Slice.null, slice.kind != Tuple.Slice.unchanged else {
            return output.append(bigEndian: Int32(-1))
        }
        output.append(bigEndian: Int32(slice.length))
        output.append(UnsafeRawBufferPointer(rebasing: tuple[slice.offset..<slice.offset + slice.length]))
    }
}
