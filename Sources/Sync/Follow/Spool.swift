import Catalog
import Foundation
import Postgres
import Synchronization

/// The changes that were received and not yet applied, on the disk of the machine that runs martlet.
///
/// An append-only log of what `pgoutput` sent, in segments of about 64 MiB. One writer appends; any
/// number of readers follow, each at its own pace, so no queue is needed between them and memory
/// does not depend on how far behind a reader is.
///
/// A segment's file is named after the offset of its first byte in the whole log. It holds frames:
///
///     4 bytes  length of the payload      8 bytes  LSN the server gave
///     4 bytes  CRC-32C of LSN and payload      …   the message of the output plugin
///
/// A change too large to be held in memory is one frame, too, whose payload lies in pieces that are each checked by themselves:
///
///     4 bytes  length of the payload, with the highest bit set      8 bytes  LSN the server gave
///     4 bytes  CRC-32C of length, LSN and the size of a piece       4 bytes  size of a piece; the last may be shorter
///     then for each piece: 4 bytes CRC-32C, and its bytes
///
/// Every segment begins with the Relation messages known so far, so that older segments can be removed, and with
/// a mark: a frame that says by its LSN up to where the log is complete. More marks follow what keepalives tell
/// between transactions: what the server was allowed to forget must be known again after a restart.
///
/// What survives a crash: everything up to the last ``sync()``. ``open(directory:identity:isBinary:segmentSize:)`` reads
/// what is there, cuts off what follows the last complete transaction, and says where to go on.
final class Spool: Sendable {
    static let headerSize = 16
    static let largeHeaderSize = 20
    /// What marks the length of a large frame.
    static let largeMark: UInt32 = 1 << 31

    /// A change of so many bytes goes to the target in pieces, and is never in memory as a whole; a test sets it low.
    static let largeChange =
        ProcessInfo.processInfo.environment["MARTLET_LARGE_CHANGE"].flatMap { Int($0) } ?? 4 << 20

    /// A message of fewer bytes is read whole: all that are no row, such as the description of a table, must be.
    static let wholeChange = max(largeChange, 1 << 20)

    /// How many bytes of a large frame are checked at once.
    static let pieceSize = min(max(largeChange, 8), 64 << 10)

    /// The message of a frame that tells only how far the log is complete: one zero byte, which `pgoutput` never sends.
    static let mark: [UInt8] = [0]

    struct Published: Sendable {
        /// Where the readable part of the log ends.
        var end: UInt64 = 0
        /// Everything that committed on the source before this is readable.
        var through = LSN.zero
    }

    private struct State {
        var published = Published()
        var segments: [UInt64] = []
        /// Up to where the log was complete when a segment of this run was begun.
        var beginnings: [UInt64: LSN] = [:]
        /// What removed segments held was applied by everybody up to here, on a target that could not lose it any more.
        var applied = LSN.zero
    }

    let directory: URL
    /// A segment that has this length is full once its last transaction ends.
    let segmentSize: UInt64
    private let state = Mutex(State())
    private let bell = Bell()

    private init(directory: URL, segmentSize: UInt64) {
        self.directory = directory
        self.segmentSize = segmentSize
    }

    /// What can be read now.
    var published: Published { state.withLock(\.published) }

    /// Where the oldest kept segment begins.
    var start: UInt64 { state.withLock { $0.segments.first ?? $0.published.end } }

    /// Bytes on disk.
    var size: UInt64 { published.end - start }

    /// The segment that holds an offset, and where it ends; nil while it is the last one.
    func segment(holding offset: UInt64) -> (start: UInt64, end: UInt64?)? {
        state.withLock { state in
            guard let place = state.segments.lastIndex(where: { $0 <= offset }) else { return nil }
            return (state.segments[place], place + 1 < state.segments.count ? state.segments[place + 1] : nil)
        }
    }

    func url(ofSegment start: UInt64) -> URL {
        directory.appending(path: String(start, radix: 16).leftPadded(to: 16) + ".spool")
    }

    /// Waits until there is more than `end` to read, `through` has moved, the task is cancelled, or the deadline has passed.
    func wait(beyond seen: Published, until deadline: ContinuousClock.Instant) {
        _ = bell.wait(until: deadline) {
            let published = published
            return published.end > seen.end || published.through > seen.through || Task.isCancelled
        }
    }

    /// Wakes every reader, so that it sees that its task was cancelled.
    func wake() { bell.ring() }

    func publish(_ published: Published) {
        state.withLock { $0.published = published }
        bell.ring()
    }

    /// Adds the segment that begins at `start`; `through`: up to where the log is complete before it, when that is known.
    func addSegment(_ start: UInt64, through: LSN? = nil) {
        state.withLock { state in
            state.segments.append(start)
            state.beginnings[start] = through
        }
    }

    /// Removes the segments behind `last`.
    func keepSegments(through last: UInt64) {
        let gone = state.withLock { state in
            let gone = state.segments.filter { $0 > last }
            state.segments.removeAll { $0 > last }
            return gone
        }
        for start in gone { try? FileManager.default.removeItem(at: url(ofSegment: start)) }
    }

    /// Changes that committed before it may be in removed segments: a target that is not as far lacks them for ever.
    var needsApplied: LSN { state.withLock(\.applied) }

    /// Where a run writes down ``needsApplied`` for the next one.
    private var appliedFile: URL { directory.appending(path: "applied") }

    /// Removes segments that end at or before `offset`, now that everything before `applied` is safe on the target.
    func discard(before offset: UInt64, applied: LSN) {
        let (gone, applied) = state.withLock { state in
            var gone: [UInt64] = []
            while state.segments.count > 1, state.segments[1] <= offset { gone.append(state.segments.removeFirst()) }
            if !gone.isEmpty {
                let first = state.segments.first.flatMap { state.beginnings[$0] }
                state.applied = max(state.applied, min(applied, first ?? applied))
            }
            for start in gone { state.beginnings[start] = nil }
            return (gone, state.applied)
        }
        guard !gone.isEmpty else { return }
        // A segment that cannot be removed costs disk, not data; the next start tries again.
        guard (try? PrivateFile.write(Data(applied.description.utf8), to: appliedFile)) != nil else { return }
        for start in gone { try? FileManager.default.removeItem(at: url(ofSegment: start)) }
    }

    /// Whether what an earlier run left for `identity` is in binary form; nil when it left nothing.
    static func form(in directory: URL, of identity: String) -> Bool? {
        // A spool without a readable marker is one of nothing.
        let text = try? String(contentsOf: markerFile(in: directory), encoding: .utf8)
        return [true, false].first { marker(identity, isBinary: $0) == text }
    }

    private static func marker(_ identity: String, isBinary: Bool) -> String {
        "\(identity) \(isBinary ? "binary" : "text")"
    }

    private static func markerFile(in directory: URL) -> URL { directory.appending(path: "identity") }

    /// Opens the spool of one slot, and reads what an earlier run left.
    ///
    /// `identity`: what the spool belongs to; one of something else is removed. `isBinary`: the form of what it holds.
    /// Returns the spool, and a writer that stands behind the last complete transaction.
    static func open(
        directory: URL,
        identity: String,
        isBinary: Bool,
        segmentSize: UInt64 = 64 << 20
    ) throws(PostgresError) -> (Spool, SpoolWriter) {
        do {
            try FileManager.default.createDirectory(
                at: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            let form = form(in: directory, of: identity)
            precondition(form == nil || form == isBinary, "see FollowPlan.keepForm")
            let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
                .filter { $0.pathExtension == "spool" }
            guard form != nil else {
                for file in files { try FileManager.default.removeItem(at: file) }
                let spool = Spool(directory: directory, segmentSize: segmentSize)
                if FileManager.default.fileExists(atPath: spool.appliedFile.path) {
                    try FileManager.default.removeItem(at: spool.appliedFile)
                }
                try PrivateFile.write(Data(marker(identity, isBinary: isBinary).utf8), to: markerFile(in: directory))
                return (spool, try SpoolWriter(spool: spool))
            }
            let starts = files.compactMap { UInt64($0.deletingPathExtension().lastPathComponent, radix: 16) }.sorted()
            let spool = Spool(directory: directory, segmentSize: segmentSize)
            if FileManager.default.fileExists(atPath: spool.appliedFile.path) {
                let text = try String(contentsOf: spool.appliedFile, encoding: .utf8)
                spool.state.withLock { $0.applied = LSN(text) ?? .zero }
            }
            let writer = try SpoolWriter(recovering: spool, segments: starts)
            return (spool, writer)
        } catch let error as PostgresError {
            throw error
        } catch {
            throw PostgresError(
                "could not open the spool \"\(directory.path)\"",
                detail: String(describing: error),
                hint: "Check the rights and the free space of the work directory, or give another one with --work-dir."
            )
        }
    }

    /// Removes the spool from disk.
    func remove() throws {
        try FileManager.default.removeItem(at: directory)
    }
}

extension String {
    fileprivate func leftPadded(to length: Int) -> String {
        String(repeating: "0", count: max(0, length - count)) + self
    }
}
