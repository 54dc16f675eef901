import Foundation
import Postgres

/// Reads a ``Spool`` from an offset on, at its own pace.
struct SpoolReader {
    /// One message; `payload` is valid until the next call of ``SpoolReader/next(checking:)``.
    struct Frame {
        /// The message; of a large one, its first bytes.
        let payload: UnsafeRawBufferPointer
        let lsn: LSN
        /// Where the frame begins in the log.
        let start: UInt64
        /// Where the next one begins.
        let end: UInt64
        /// Where the message lies, when it is too large to be held.
        var large: Large?

        /// The length of the whole message.
        var length: Int { large?.length ?? payload.count }
    }

    /// A message that lies in the log in pieces.
    struct Large {
        /// Where the checksum of the first piece lies.
        let start: UInt64
        let length: Int
        let pieceSize: Int

        var pieceCount: Int { (length + pieceSize - 1) / pieceSize }
        var end: UInt64 { start + UInt64(length + 4 * pieceCount) }
    }

    private let spool: Spool
    private let file = OpenFile()
    private let window = Window()
    private var limit = Spool.Published()

    /// Where the next frame begins.
    private(set) var offset: UInt64

    init(spool: Spool, from offset: UInt64) {
        self.spool = spool
        self.offset = offset
    }

    /// What of the log this reader has seen to be readable; everything before ``offset`` was returned.
    var seen: Spool.Published { limit }

    /// Whether everything that was readable at the last look has been returned.
    var isAtEnd: Bool { offset >= limit.end }

    /// Looks again how much can be read.
    mutating func refresh() {
        limit = spool.published
    }

    /// The next message; nil when everything published has been read.
    ///
    /// `checking`: whether a frame that is torn or damaged ends the log (at recovery) instead of being an error.
    mutating func next(checking: Bool = false) throws(PostgresError) -> Frame? {
        if isAtEnd { refresh() }
        guard offset < limit.end else { return nil }
        guard let header = try bytes(at: offset, count: Spool.headerSize) else { return try damaged(checking) }
        guard header.bigEndian(at: 0, as: UInt32.self) & Spool.largeMark == 0 else { return try nextLarge(checking) }
        let length = Int(header.bigEndian(at: 0, as: UInt32.self))
        let sum = header.bigEndian(at: 4, as: UInt32.self)
        guard let whole = try bytes(at: offset, count: Spool.headerSize + length) else { return try damaged(checking) }
        guard length > 0, Checksum.crc32c(whole.suffix(at: 8)) == sum else { return try damaged(checking) }
        let start = offset
        offset += UInt64(whole.count)
        return Frame(
            payload: whole.suffix(at: Spool.headerSize),
            lsn: LSN(whole.bigEndian(at: 8)),
            start: start,
            end: offset
        )
    }

    private mutating func nextLarge(_ checking: Bool) throws(PostgresError) -> Frame? {
        guard let header = try bytes(at: offset, count: Spool.largeHeaderSize) else { return try damaged(checking) }
        let sum = Checksum.crc32c(
            UnsafeRawBufferPointer(rebasing: header[8...]),
            seed: Checksum.crc32c(UnsafeRawBufferPointer(rebasing: header[..<4]))
        )
        guard sum == header.bigEndian(at: 4, as: UInt32.self) else { return try damaged(checking) }
        let large = Large(
            start: offset + UInt64(Spool.largeHeaderSize),
            length: Int(header.bigEndian(at: 0, as: UInt32.self) & ~Spool.largeMark),
            pieceSize: Int(header.bigEndian(at: 16, as: UInt32.self))
        )
        let (start, lsn) = (offset, LSN(header.bigEndian(at: 8)))
        guard large.end <= limit.end else { return try damaged(checking) }
        // At recovery nobody has looked at the pieces yet; later each is checked when it is sent.
        if checking {
            for number in 0..<large.pieceCount where try piece(number, of: large) == nil { return nil }
        }
        guard let first = try piece(0, of: large) else { return try damaged(checking) }
        offset = large.end
        return Frame(payload: first, lsn: lsn, start: start, end: offset, large: large)
    }

    /// The bytes of a piece, valid until the next call; nil when they are not what was written.
    mutating func piece(_ number: Int, of large: Large) throws(PostgresError) -> UnsafeRawBufferPointer? {
        let before = number * large.pieceSize
        let length = min(large.pieceSize, large.length - before)
        guard let whole = try bytes(at: large.start + UInt64(before + 4 * number), count: 4 + length),
            Checksum.crc32c(whole.suffix(at: 4)) == whole.bigEndian(at: 0, as: UInt32.self)
        else { return nil }
        return whole.suffix(at: 4)
    }

    private func damaged(_ checking: Bool) throws(PostgresError) -> Frame? {
        guard !checking else { return nil }
        throw isDamaged
    }

    /// The failure of a reader that does not find what was written.
    var isDamaged: PostgresError {
        PostgresError(
            "the spool in \"\(spool.directory.path)\" is damaged at byte \(offset)",
            hint: "Check the disk. To begin again, run martlet abort, then martlet migrate."
        )
    }

    /// A view of bytes of the log that lie in one segment; nil when the segment ends before.
    private mutating func bytes(at offset: UInt64, count: Int) throws(PostgresError) -> UnsafeRawBufferPointer? {
        if let view = window.view(at: offset, count: count) { return view }
        guard let segment = spool.segment(holding: offset) else { return nil }
        try file.open(segment.start, of: spool)
        let end = segment.end ?? limit.end
        guard offset + UInt64(count) <= end else { return nil }
        let length = max(count, Int(min(end - offset, 256 << 10)))
        guard window.fill(from: file.descriptor, at: off_t(offset - segment.start), offset: offset, count: length)
        else {
            return nil
        }
        return window.view(at: offset, count: count)
    }

    /// The part of the log that is in memory.
    ///
    /// A frame that is larger than the buffer is mapped, not read: every lane looks at every frame, and
    /// pages of a file are memory that the system can take back.
    private final class Window {
        private static let size = 256 << 10

        private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        private var mapping: UnsafeMutableRawBufferPointer?
        private var content = UnsafeRawBufferPointer(start: nil, count: 0)
        private var start: UInt64 = 0

        deinit {
            unmap()
            buffer.deallocate()
        }

        @inline(__always)
        func view(at offset: UInt64, count wanted: Int) -> UnsafeRawBufferPointer? {
            guard offset >= start, offset + UInt64(wanted) <= start + UInt64(content.count) else { return nil }
            return UnsafeRawBufferPointer(rebasing: content[Int(offset - start)..<Int(offset - start) + wanted])
        }

        func fill(from descriptor: Int32, at position: off_t, offset: UInt64, count wanted: Int) -> Bool {
            unmap()
            start = offset
            content = UnsafeRawBufferPointer(start: nil, count: 0)
            guard wanted <= Self.size else { return map(descriptor, at: position, count: wanted) }
            var count = 0
            while count < wanted {
                let got = pread(
                    descriptor,
                    buffer.baseAddress.map { $0 + count },
                    wanted - count,
                    position + off_t(count)
                )
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { return false }
                count += got
            }
            content = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            return true
        }

        private func map(_ descriptor: Int32, at position: off_t, count: Int) -> Bool {
            var file = stat()
            // What lies behind the end of a file can be mapped, but not read.
            guard fstat(descriptor, &file) == 0, file.st_size >= position + off_t(count) else { return false }
            let before = Int(position) % Int(getpagesize())
            let pages = mmap(nil, before + count, PROT_READ, MAP_SHARED, descriptor, position - off_t(before))
            guard let pages, pages != MAP_FAILED else { return false }
            let mapped = UnsafeMutableRawBufferPointer(start: pages, count: before + count)
            mapping = mapped
            content = UnsafeRawBufferPointer(rebasing: mapped[before...])
            return true
        }

        private func unmap() {
            if let mapping { munmap(mapping.baseAddress, mapping.count) }
            mapping = nil
        }
    }

    /// The segment's file that is open.
    private final class OpenFile {
        private(set) var descriptor: Int32 = -1
        private var start: UInt64?

        deinit {
            if descriptor >= 0 { close(descriptor) }
        }

        func open(_ start: UInt64, of spool: Spool) throws(PostgresError) {
            guard start != self.start else { return }
            if descriptor >= 0 { close(descriptor) }
            let url = spool.url(ofSegment: start)
            descriptor = Foundation.open(url.path, O_RDONLY)
            self.start = start
            guard descriptor >= 0 else {
                throw PostgresError(
                    "could not read the spool segment \"\(url.path)\"",
                    detail: "The system said: \(String(cString: strerror(errno))).",
                    hint: "Nothing but martlet may change the work directory while it runs."
                )
            }
        }
    }
}
