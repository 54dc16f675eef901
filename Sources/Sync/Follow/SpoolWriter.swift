import Foundation
import Postgres

/// Appends to a ``Spool``; there is one, and one task uses it.
final class SpoolWriter {
    let spool: Spool
    private let buffer = Bytes(capacity: 512 << 10)
    private var descriptor: Int32 = -1
    private var segmentStart: UInt64 = 0
    private var end: UInt64 = 0
    private var relations: [UInt32: [UInt8]] = [:]

    /// Everything that committed before it is in the log: the end of the last commit, or what a keepalive told.
    private(set) var through = LSN.zero

    /// As ``through``, but as the log itself tells it to the next run.
    private var kept = LSN.zero
    private var isInTransaction = false

    /// What was done since ``takeTally()``.
    private var tally = ReceiveTally()

    /// The large message that has not come whole: where its frame begins, how many bytes are still to come, and the next piece.
    private var large: (start: UInt64, left: Int)?
    private let piece = Bytes()

    init(spool: Spool) throws(PostgresError) {
        self.spool = spool
        try openSegment()
    }

    /// Goes on behind the last complete transaction of what an earlier run left.
    init(recovering spool: Spool, segments: [UInt64]) throws(PostgresError) {
        self.spool = spool
        guard let first = segments.first else {
            try openSegment()
            return
        }
        for start in segments { spool.addSegment(start) }
        let last = segments[segments.count - 1]
        let length = Self.length(of: spool.url(ofSegment: last))
        spool.publish(Spool.Published(end: last + length, through: .zero))
        // A segment is complete on disk before the next begins, and begins with all Relation messages
        // known by then and a mark: the last one with a commit or a mark in it tells everything.
        for start in segments.reversed() {
            guard let end = try scan(from: start) else { continue }
            try cut(after: end, segments: segments)
            return
        }
        try cut(after: first, segments: segments)
    }

    /// Reads from the start of a segment to the end, and returns where the last transaction ends; nil when there is none.
    private func scan(from start: UInt64) throws(PostgresError) -> UInt64? {
        var reader = SpoolReader(spool: spool, from: start)
        var lastCommit: UInt64?
        while let frame = try reader.next(checking: true) {
            switch PgOutput.kind(of: frame.payload) {
            case .relation: note(relation: frame.payload)
            case .commit:
                through = PgOutput.Commit(frame.payload).end
                lastCommit = frame.end
            case nil where frame.payload.elementsEqual(Spool.mark):
                through = max(through, frame.lsn)
                lastCommit = frame.end
            default: break
            }
        }
        kept = through
        return lastCommit
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// What was written since the last call, and how long that took.
    func takeTally() -> ReceiveTally {
        defer { tally = ReceiveTally() }
        return tally
    }

    /// Adds what a slot gave, and returns of how many bytes that is.
    @discardableResult
    func append(_ message: ReplicationStream.Message) throws(PostgresError) -> Int {
        switch message {
        case .change(let lsn, let payload):
            try append(payload, lsn: lsn)
            return payload.count
        case .piece(let lsn, let bytes, let offset, let length):
            try append(piece: bytes, offset: offset, length: length, lsn: lsn)
            return bytes.count
        case .keepalive(let end, _):
            // Between two transactions there is nothing before `end` that was not sent.
            advance(to: end)
            return 0
        }
    }

    /// Adds one message of the output plugin.
    func append(_ payload: UnsafeRawBufferPointer, lsn: LSN) throws(PostgresError) {
        tally.messages += 1
        tally.bytes += payload.count
        switch PgOutput.kind(of: payload) {
        case .relation: note(relation: payload)
        case .commit:
            through = max(through, PgOutput.Commit(payload).end)
            kept = through
            isInTransaction = false
        case .begin:
            // A new segment begins between transactions, so that a cut never leaves an empty one behind.
            if end - segmentStart >= spool.segmentSize { try openSegment() }
            isInTransaction = true
        default: break
        }
        if payload.count >= Spool.largeChange, PgOutput.kind(of: payload)?.isOfRow == true {
            return try append(piece: payload, offset: 0, length: payload.count, lsn: lsn)
        }
        add(payload, lsn: lsn)
        if buffer.count >= 256 << 10 { try flush() }
    }

    /// Adds the next bytes of a message of `length` bytes that is too large to be held, from `offset` on.
    ///
    /// Readers see it when all of it is there; what a crash leaves of it is cut off with its transaction.
    func append(
        piece bytes: UnsafeRawBufferPointer,
        offset: Int,
        length: Int,
        lsn: LSN
    ) throws(PostgresError) {
        if offset == 0 { try beginLarge(bytes, length: length, lsn: lsn) }
        tally.messages += 1
        tally.bytes += bytes.count
        guard var large else { throw Self.outOfOrder }
        var rest = bytes
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Spool.pieceSize - piece.count))
            piece.append(part)
            large.left -= part.count
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
            guard piece.count == Spool.pieceSize || large.left == 0 else { continue }
            buffer.append(bigEndian: Checksum.crc32c(piece.view))
            buffer.append(piece.view)
            piece.removeAll()
            if buffer.count >= 256 << 10 { try flush() }
        }
        guard large.left >= 0 else { throw Self.outOfOrder }
        self.large = large.left > 0 ? large : nil
    }

    private func beginLarge(_ bytes: UnsafeRawBufferPointer, length: Int, lsn: LSN) throws(PostgresError) {
        let kind = PgOutput.kind(of: bytes)
        guard large == nil, kind?.isOfRow == true || kind == .message else { throw Self.outOfOrder }
        large = (end + UInt64(buffer.count), length)
        let offset = buffer.extend(by: Spool.largeHeaderSize)
        buffer.store(bigEndian: Spool.largeMark | UInt32(length), at: offset)
        buffer.store(bigEndian: lsn.value, at: offset + 8)
        buffer.store(bigEndian: UInt32(Spool.pieceSize), at: offset + 16)
        let sum = Checksum.crc32c(buffer.view(offset + 8, 12), seed: Checksum.crc32c(buffer.view(offset, 4)))
        buffer.store(bigEndian: sum, at: offset + 4)
    }

    private static let outOfOrder = PostgresError(
        "the stream brought a large message that cannot be understood",
        hint: "Run martlet migrate again; it goes on behind the last complete transaction."
    )

    /// Notes that the source has nothing before `lsn` that we do not have.
    func advance(to lsn: LSN) {
        through = max(through, lsn)
    }

    /// Makes what was added readable.
    func publish() throws(PostgresError) {
        try flush()
        spool.publish(Spool.Published(end: large?.start ?? end, through: through))
    }

    /// Makes what was published survive a crash of this machine, and returns how far that is.
    ///
    /// It is also what the next run finds, so the server may forget what lies before it.
    func sync() throws(PostgresError) -> LSN {
        if !isInTransaction, large == nil, through > kept { addMark() }
        try publish()
        var watch = Stopwatch()
        guard fdatasync(descriptor) == 0 else { throw failure("write") }
        tally.syncSeconds += watch.lap()
        tally.syncs += 1
        return kept
    }

    private func addMark() {
        Spool.mark.withUnsafeBytes { add($0, lsn: through) }
        kept = through
    }

    private func add(_ payload: UnsafeRawBufferPointer, lsn: LSN) {
        let offset = buffer.extend(by: Spool.headerSize)
        buffer.append(payload)
        buffer.store(bigEndian: UInt32(payload.count), at: offset)
        buffer.store(bigEndian: lsn.value, at: offset + 8)
        let checked = buffer.view(offset + 8, 8 + payload.count)
        buffer.store(bigEndian: Checksum.crc32c(checked), at: offset + 4)
    }

    private func note(relation payload: UnsafeRawBufferPointer) {
        relations[payload.bigEndian(at: 1)] = Array(payload)
    }

    private func flush() throws(PostgresError) {
        try write(buffer.view)
        buffer.removeAll()
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) {
        guard !bytes.isEmpty else { return }
        var watch = Stopwatch()
        defer { tally.writeSeconds += watch.lap() }
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write") }
            written += count
        }
        end += UInt64(bytes.count)
    }

    private func openSegment() throws(PostgresError) {
        if descriptor >= 0 {
            _ = try sync()
            close(descriptor)
        }
        segmentStart = end
        try openFile(flags: O_CREAT | O_TRUNC)
        spool.addSegment(segmentStart, through: through)
        try syncDirectory()
        for relation in relations.values { relation.withUnsafeBytes { add($0, lsn: .zero) } }
        if through > .zero { addMark() }
        try flush()
    }

    /// Makes the name of a new file survive a crash of this machine.
    private func syncDirectory() throws(PostgresError) {
        let directory = open(spool.directory.path, O_RDONLY)
        guard directory >= 0 else { throw failure("open the directory of") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failure("write the directory of") }
    }

    private func openFile(flags: Int32) throws(PostgresError) {
        descriptor = open(spool.url(ofSegment: segmentStart).path, O_WRONLY | O_APPEND | flags, 0o600)
        guard descriptor >= 0 else { throw failure("open") }
    }

    private func cut(after lastCommit: UInt64, segments: [UInt64]) throws(PostgresError) {
        // A commit at a segment's very end belongs to that segment, so that one is the last to keep.
        let last = segments.last { $0 < lastCommit } ?? segments[0]
        spool.keepSegments(through: last)
        segmentStart = last
        end = lastCommit
        try openFile(flags: 0)
        guard ftruncate(descriptor, off_t(lastCommit - last)) == 0 else { throw failure("cut") }
        spool.publish(Spool.Published(end: end, through: through))
        if end == last { try rewriteRelations() }
    }

    /// A segment that was cut at its start lost its Relation messages.
    private func rewriteRelations() throws(PostgresError) {
        for relation in relations.values { relation.withUnsafeBytes { add($0, lsn: .zero) } }
        try publish()
    }

    private func failure(_ verb: String) -> PostgresError {
        let reason = String(cString: strerror(errno))
        return PostgresError(
            "could not \(verb) the spool segment \"\(spool.url(ofSegment: segmentStart).path)\"",
            detail: "The system said: \(reason).",
            hint:
                "Free space on that disk, then run the same command again. Or move the work directory with all that is "
                + "in it to a bigger disk, and name it there with --work-dir."
        )
    }

    private static func length(of file: URL) -> UInt64 {
        let values = try? FileManager.default.attributesOfItem(atPath: file.path)
        return (values?[.size] as? NSNumber)?.uint64Value ?? 0
    }
}
