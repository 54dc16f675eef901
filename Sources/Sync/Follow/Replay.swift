import Postgres

/// Applies a group of changes again, one statement per change, in the order of the source.
///
/// The source's own history proves that this order is free of collisions; what still fails is a row
/// that differs on the target.
struct Replay {
    let lane: Lane
    private var transaction = LSN.zero
    private var void: Set<UInt32> = []

    init(lane: Lane) {
        self.lane = lane
    }

    /// Takes one message; transactions whose commit lies before `base` were applied earlier.
    mutating func take(_ frame: SpoolReader.Frame, from base: LSN) throws(PostgresError) {
        let kind = PgOutput.kind(of: frame.payload)
        switch kind {
        case .begin:
            transaction = PgOutput.Begin(frame.payload).commit
            void = lane.voided(by: transaction)
        case .relation: try lane.learn(frame.payload)
        case .insert, .update, .delete:
            let relation = PgOutput.relation(of: frame.payload)
            guard let entry = try entry(relation, base), !void.contains(relation) else { return }
            if let large = frame.large {
                let row = try LargeRow(large, in: lane.spool)
                return try lane.sendRow(kind, row, entry.table, entry.statements)
            }
            var row = PgOutput.Row(frame.payload)
            lane.complete(&row, of: entry.table)
            try lane.sendRow(kind, row, entry.table, entry.statements)
        case .truncate:
            for relation in PgOutput.Truncate(frame.payload).relations {
                void.remove(relation)
                guard let entry = try entry(relation, base) else { continue }
                try lane.truncate(entry.table, entry.statements)
            }
        default: break
        }
    }

    private func entry(_ relation: UInt32, _ base: LSN) throws(PostgresError) -> LaneTables.Entry? {
        guard transaction >= base, let watermark = lane.configuration.tables[relation], transaction >= watermark
        else { return nil }
        if let failure = lane.tables.failure(of: relation) {
            lane.culprit = relation
            throw failure
        }
        return lane.tables[relation]
    }

    /// Says which row could not be changed, and why; and the relation it is of, when it is of one.
    static func explain(_ error: PostgresError, at offset: UInt64, lane: Lane) -> (PostgresError, UInt32?) {
        var reader = SpoolReader(spool: lane.spool, from: offset)
        // The explanation is an extra: without the frame the server's own words have to do.
        guard let frame = try? reader.next(), let kind = PgOutput.kind(of: frame.payload), kind.isOfRow,
            let entry = lane.tables[PgOutput.relation(of: frame.payload)]
        else { return (error, nil) }
        let key = key(of: frame, in: entry.table, spool: lane.spool)
        var explained = error.explained(
            as: "could not apply \(kind.verb) of table \"\(entry.table.name)\" at \(frame.lsn)",
            hint: Refusal.hint(for: error, table: entry.table)
        )
        explained.detail = "Row \(key). \(explained.detail ?? "")\(Refusal.detail(for: error, table: entry.table))"
        explained.table = entry.table.name
        return (explained, entry.table.relation)
    }

    private static func key(of frame: SpoolReader.Frame, in table: LaneTable, spool: Spool) -> String {
        if let large = frame.large {
            let row = try? LargeRow(large, in: spool)
            guard let row, let tuple = row.old ?? row.new else { return "" }
            return RowKey.describe(tuple, of: table) { try? row.message.bytes(of: $0) }
        }
        let row = PgOutput.Row(frame.payload)
        guard let tuple = row.old ?? row.new else { return "" }
        var slices: ContiguousArray<Tuple.Slice> = []
        Tuple.slice(tuple, into: &slices)
        return RowKey.describe(slices, of: table) { Array(tuple[$0.offset..<$0.offset + $0.length]) }
    }
}

extension PgOutput.Kind {
    fileprivate var verb: String {
        switch self {
        case .insert: "an INSERT"
        case .update: "an UPDATE"
        default: "a DELETE"
        }
    }
}

/// Shows the key of a row to people.
enum RowKey {
    static func describe(
        _ slices: ContiguousArray<Tuple.Slice>,
        of table: LaneTable,
        bytes: (Tuple.Slice) -> [UInt8]?
    ) -> String {
        let parts = table.keyPlaces.map { place in
            let column = table[place]
            let value = (bytes(slices[place]) ?? []).withUnsafeBytes { text($0, slices[place], type: column.type) }
            return "\(column.name.name)=\(value)"
        }
        return parts.isEmpty ? "(no key)" : "(" + parts.joined(separator: ", ") + ")"
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ slice: Tuple.Slice, type: UInt32) -> String {
        if slice.kind == Tuple.Slice.null { return "NULL" }
        guard slice.kind == UInt8(ascii: "b") else { return String(decoding: bytes, as: UTF8.self) }
        switch (type, bytes.count) {
        case (21, 2): return String(bytes.bigEndian(at: 0, as: Int16.self))
        case (23, 4): return String(bytes.bigEndian(at: 0, as: Int32.self))
        case (20, 8): return String(bytes.bigEndian(at: 0, as: Int64.self))
        case (25, _), (1043, _), (1042, _), (19, _): return String(decoding: bytes, as: UTF8.self)
        default: return "\\x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
