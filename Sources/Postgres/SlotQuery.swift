import Foundation
import Synchronization

extension Connection {
    /// Reads what a logical slot holds by a query, as ``startReplication(slot:publication:from:isBinary:largeChange:)``
    /// would stream it, and consumes it before it arrives: for the copy of a slot.
    ///
    /// Hands over every transaction whose commit record begins before `end`, whole, and none that the slot has been told to
    /// forget; but no more of them after `limit` messages. A sender of a stream gives each message to the network by itself, which costs the server several
    /// times what decoding costs; the rows of a query are gathered. In return, the server decodes everything from
    /// the slot's `restart_lsn` on, and holds all rows in memory or a temporary file before it sends the first
    /// (manual, "Replication Management Functions"). The slot is in use, and a snapshot held, until the last row has come.
    ///
    /// Returns how many messages there were; nil, and has handed over and consumed nothing, when none has come after `patience`.
    public func readSlot(
        _ slot: Identifier,
        publication: Identifier,
        upTo end: LSN,
        limit: Int,
        isBinary: Bool,
        largeChange: Int = ReplicationStream.largeChange,
        patience: Duration,
        _ handler: (ReplicationStream.Message) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int? {
        let options = SQL.joined(
            pluginOptions(publication, isBinary: isBinary).map { "\(literal: $0), \(literal: $1)" }
        )
        let sql: SQL = """
            COPY (SELECT lsn, data FROM pg_catalog.pg_logical_slot_get_binary_changes( \
            \(literal: slot.name), \(literal: end.description)::pg_lsn, \(limit), \(options))) TO STDOUT (FORMAT binary)
            """
        var rows = SlotRows()
        let patience = Patience(patience, canceller)
        defer { patience.end() }
        do throws(PostgresError) {
            return try unsafe copyOutInPieces(sql, wholeLimit: largeChange) { bytes, isStart throws(PostgresError) in
                if !rows.hasBegun { patience.end() }
                if let message = unsafe rows.message(bytes, isStart: isStart) { try unsafe handler(message) }
            }
        } catch {
            guard patience.isOver, !rows.hasBegun, error != .cancelled, error.sqlState == "57014" else { throw error }
            return nil
        }
    }
}

/// Reads the rows of a binary COPY of a position and a message (manual, "COPY", "Binary Format").
private struct SlotRows {
    /// Signature, flags, and the length of an extension that nobody uses: the first row comes with it.
    private static let headerSize = 19
    /// Number of columns 2, length 4, position 8, length 4.
    private static let rowHeaderSize = 18

    /// Whether a row was read.
    private(set) var hasBegun = false
    private var isAfterHeader = false
    private var lsn = LSN.zero
    private var (offset, length) = (0, 0)

    mutating func message(_ bytes: UnsafeRawBufferPointer, isStart: Bool) -> ReplicationStream.Message? {
        guard isStart else {
            defer { offset += bytes.count }
            return unsafe .piece(walStart: lsn, bytes: bytes, offset: offset, length: length)
        }
        let row = unsafe UnsafeRawBufferPointer(rebasing: bytes.dropFirst(isAfterHeader ? 0 : Self.headerSize))
        isAfterHeader = true
        // What is shorter is the mark at the end.
        guard row.count >= Self.rowHeaderSize else { return nil }
        hasBegun = true
        lsn = unsafe LSN(UInt64(bigEndian: row.loadUnaligned(fromByteOffset: 6, as: UInt64.self)))
        length = unsafe Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: 14, as: Int32.self)))
        let payload = unsafe UnsafeRawBufferPointer(rebasing: row[Self.rowHeaderSize...])
        offset = payload.count
        guard offset < length else { return unsafe .change(walStart: lsn, payload: payload) }
        return unsafe .piece(walStart: lsn, bytes: payload, offset: 0, length: length)
    }
}

/// Stops a statement whose answer does not begin in time.
private final class Patience: Sendable {
    private enum State {
        case waiting, over, ended
    }

    private let state = Mutex(State.waiting)

    init(_ limit: Duration, _ canceller: Canceller) {
        DispatchQueue.global().asyncAfter(deadline: .now() + limit / .seconds(1)) {
            self.state.withLock { state in
                guard state == .waiting else { return }
                state = .over
                canceller.sendRequest()
            }
        }
    }

    /// Whether the statement was stopped.
    var isOver: Bool { state.withLock { $0 == .over } }

    /// Lets the statement go on without end.
    func end() {
        state.withLock { state in
            if state == .waiting { state = .ended }
        }
    }
}
