import Foundation
import Postgres
import TestSupport
import Testing

@testable import Sync

/// Messages that are too large to be held, in the spool.
struct LargeSpoolTests {
    private static let value = String(repeating: "0123456789", count: 30_000)
    private static let insert = TestMessage.insert(7, ["1", .text(value), nil, "end"])

    @Test(arguments: [7, 1000, 65_536, 65_537, 1 << 20])
    func `a message that comes in pieces is seen when it is whole, and passed over in one step`(
        size: Int
    ) async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory)
            try writer.add(TestMessage.begin(10))
            try writer.publish()
            let before = spool.published.end
            try writer.add(Self.insert.dropLast(1), of: Self.insert.count, inPiecesOf: size)
            _ = try writer.sync()
            #expect(spool.published.end == before)
            try writer.add(Self.insert.suffix(1), of: Self.insert.count, inPiecesOf: 1, from: Self.insert.count - 1)
            try writer.add(TestMessage.commit(10, end: 19))
            try writer.publish()
            var reader = SpoolReader(spool: spool, from: 0)
            let kinds = try Self.frames(&reader).map { ($0.kind, $0.length) }
            #expect(kinds.map(\.0) == [.begin, .insert, .commit])
            #expect(kinds[1].1 == Self.insert.count)
            let (again, next) = try Self.open(directory)
            #expect(next.through == LSN(19))
            #expect(again.published.end == spool.published.end)
        }
    }

    @Test func `its tuples are found, and its values read`() async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory)
            let old: TestTuple = ["1", nil, nil, nil]
            let new: TestTuple = [.text(Self.value), "~", .text(String(Self.value.reversed())), nil]
            for (mark, isWhole) in [("K", false), ("O", true)] {
                let update = TestMessage.update(7, old: (mark, old), new: new)
                try writer.add(update, of: update.count, inPiecesOf: 10_000)
                try writer.publish()
                var reader = SpoolReader(spool: spool, from: 0)
                let large = try #require(try Self.frames(&reader).last?.large)
                let row = try LargeRow(large, in: spool)
                #expect(row.oldIsWhole == isWhole)
                #expect(try Self.tuple(row.old, of: row) == old)
                #expect(try Self.tuple(row.new, of: row) == new)
            }
        }
    }

    @Test(arguments: [1, 5000, 70_000, 299_000]) func `what a crash leaves of it is cut off`(torn: Int) async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory)
            try writer.transaction(1)
            try writer.add(TestMessage.begin(20))
            try writer.add(Self.insert, of: Self.insert.count, inPiecesOf: 9000)
            try writer.publish()
            #expect(truncate(spool.url(ofSegment: 0).path, off_t(spool.published.end) - off_t(torn)) == 0)
            let (again, next) = try Self.open(directory)
            #expect(next.through == LSN(19))
            try next.add(TestMessage.begin(20))
            try next.add(Self.insert, of: Self.insert.count, inPiecesOf: 9000)
            try next.add(TestMessage.commit(20, end: 29))
            try next.publish()
            var reader = SpoolReader(spool: again, from: 0)
            let kinds = try Self.frames(&reader).map(\.kind)
            #expect(kinds == [.begin, .relation, .insert, .commit, .begin, .insert, .commit])
        }
    }

    /// The first, one of the middle and the last piece, and the header.
    @Test(arguments: [10, 5000, 200_000, 299_000]) func `a damaged byte is found`(place: Int) async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory)
            try writer.transaction(1)
            let start = spool.published.end
            try writer.add(TestMessage.begin(20))
            try writer.publish()
            let frame = spool.published.end
            try writer.add(Self.insert, of: Self.insert.count, inPiecesOf: 9000)
            try writer.add(TestMessage.commit(20, end: 29))
            try writer.publish()
            try Self.damage(spool.url(ofSegment: 0), at: Int(frame) + place)
            #expect(throws: PostgresError.self) {
                var reader = SpoolReader(spool: spool, from: start)
                let large = try #require(try Self.frames(&reader).compactMap(\.large).first)
                let message = LargeMessage(large, in: spool)
                try message.read(at: 0, count: message.length) { _ in }
            }
            let (again, next) = try Self.open(directory)
            #expect(next.through == LSN(19))
            #expect(again.published.end == start)
        }
    }

    private static func open(_ directory: String) throws -> (Spool, SpoolWriter) {
        try Spool.open(directory: URL(filePath: directory), identity: "slot", isBinary: true, segmentSize: 1 << 30)
    }

    private static func frames(
        _ reader: inout SpoolReader
    ) throws -> [(kind: PgOutput.Kind?, length: Int, large: SpoolReader.Large?)] {
        var frames: [(PgOutput.Kind?, Int, SpoolReader.Large?)] = []
        while let frame = try reader.next() {
            frames.append((PgOutput.kind(of: frame.payload), frame.length, frame.large))
        }
        return frames
    }

    private static func tuple(_ slices: LargeRow.Slices?, of row: LargeRow) throws -> TestTuple {
        TestTuple(
            try #require(slices).map { slice in
                switch slice.kind {
                case Tuple.Slice.null: .null
                case Tuple.Slice.unchanged: .unchanged
                default: .text(String(decoding: try row.message.bytes(of: slice), as: UTF8.self))
                }
            }
        )
    }

    private static func damage(_ file: URL, at place: Int) throws {
        var bytes = try Data(contentsOf: file)
        bytes[place] ^= 1
        try bytes.write(to: file)
    }
}

extension SpoolWriter {
    /// Adds bytes of a large message, in pieces as the network might bring them.
    fileprivate func add(
        _ bytes: some Collection<UInt8>,
        of length: Int,
        inPiecesOf size: Int,
        from start: Int = 0
    ) throws {
        let bytes = Array(bytes)
        for offset in stride(from: 0, to: bytes.count, by: size) {
            try bytes[offset..<min(offset + size, bytes.count)].withUnsafeBytes {
                try append(piece: $0, offset: start + offset, length: length, lsn: LSN(1))
            }
        }
    }
}
