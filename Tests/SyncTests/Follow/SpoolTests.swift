import Foundation
import Postgres
import TestSupport
import Testing

@testable import Sync

struct SpoolTests {
    @Test func `what is written in many segments is read again, by two readers at their own pace`() async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory)
            var quick = SpoolReader(spool: spool, from: 0)
            var (seen, written): ([UInt64], [UInt64]) = ([], [])
            for number in 1...200 as ClosedRange<UInt64> {
                try writer.transaction(number)
                written.append(number)
                while let frame = try quick.next() { Self.note(frame, &seen) }
                #expect(seen == written)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count > 20)
            #expect(try Self.commits(spool) == written)
            #expect(spool.published.through == LSN(2000 + 9))
        }
    }

    @Test func `an opened spool goes on behind its last complete transaction`() async throws {
        try await withTemporaryDirectory { directory in
            for run in 0..<5 as Range<UInt64> {
                let (spool, writer) = try Self.open(directory)
                #expect(writer.through == (run == 0 ? .zero : LSN(run * 100 + 9)))
                #expect(try Self.commits(spool).count == Int(run * 10))
                for number in 1...10 { try writer.transaction(run * 10 + UInt64(number)) }
                // A transaction that does not end.
                try writer.add(TestMessage.begin(9999))
                try writer.add(TestMessage.insert(7, ["torn"]))
                _ = try writer.sync()
            }
        }
    }

    @Test(arguments: [1, 7, 16, 17, 40, 90]) func `a torn tail is cut at the last complete transaction`(
        torn: Int
    ) async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory, segmentSize: 1 << 20)
            for number in 1...5 { try writer.transaction(UInt64(number)) }
            let file = spool.url(ofSegment: 0).path
            #expect(truncate(file, off_t(spool.published.end) - off_t(torn)) == 0)
            let (again, next) = try Self.open(directory, segmentSize: 1 << 20)
            #expect(try Self.commits(again) == [1, 2, 3, 4])
            #expect(next.through == LSN(49))
            try next.transaction(5)
            #expect(try Self.commits(again) == [1, 2, 3, 4, 5])
        }
    }

    @Test func `a damaged byte is an error for a reader, and ends the log for the next run`() async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory, segmentSize: 1 << 20)
            for number in 1...50 { try writer.transaction(UInt64(number)) }
            try Self.damage(spool.url(ofSegment: 0), at: 1500)
            #expect(throws: PostgresError.self) { try Self.commits(spool) }
            let (again, next) = try Self.open(directory, segmentSize: 1 << 20)
            let left = try Self.commits(again)
            #expect(!left.isEmpty && left.count < 50 && left == Array(1...UInt64(left.count)))
            #expect(next.through == LSN(UInt64(left.count) * 10 + 9))
        }
    }

    @Test func `recovery reads no more than the last segment`() async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory)
            for number in 1...50 { try writer.transaction(UInt64(number)) }
            try Self.damage(spool.url(ofSegment: 0), at: 100)
            let (_, next) = try Self.open(directory)
            #expect(next.through == LSN(509))
        }
    }

    @Test func `every segment begins with the relations, and old ones can go`() async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory)
            for number in 1...60 { try writer.transaction(UInt64(number)) }
            let place = try #require(spool.segment(holding: spool.published.end / 2))
            // Nothing was removed yet that anybody could lack.
            spool.discard(before: 0, applied: LSN(1000))
            #expect(spool.needsApplied == .zero)
            spool.discard(before: place.start, applied: LSN(300))
            #expect(spool.start == place.start)
            #expect(spool.needsApplied == LSN(300))
            var reader = SpoolReader(spool: spool, from: spool.start)
            let first = try #require(try reader.next())
            #expect(PgOutput.kind(of: first.payload) == .relation)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count < 60)
            // An offset inside a segment keeps all of it.
            spool.discard(before: place.start + 1, applied: .zero)
            #expect(spool.start == place.start)
            let (again, next) = try Self.open(directory)
            #expect(next.through == LSN(609))
            #expect(again.needsApplied == LSN(300))
            let other = try Spool.open(directory: URL(filePath: directory), identity: "another slot", isBinary: true).0
            #expect(other.needsApplied == .zero)
        }
    }

    @Test func `what the server was told it may forget is known after a restart`() async throws {
        try await withTemporaryDirectory { directory in
            let (_, writer) = try Self.open(directory)
            try writer.transaction(1)
            writer.advance(to: LSN(500))
            #expect(try writer.sync() == LSN(500))
            try writer.add(TestMessage.begin(600))
            writer.advance(to: LSN(600))
            // In the middle of a transaction nothing new can be kept.
            #expect(try writer.sync() == LSN(500))
            #expect(try Self.open(directory).1.through == LSN(500))
        }
    }

    @Test func `the last segment tells all when the ones before are gone`() async throws {
        try await withTemporaryDirectory { directory in
            let (spool, writer) = try Self.open(directory, segmentSize: 1)
            for number in 1...3 { try writer.transaction(UInt64(number)) }
            writer.advance(to: LSN(100))
            try writer.add(TestMessage.begin(110))
            _ = try writer.sync()
            spool.discard(before: spool.published.end, applied: .zero)
            #expect(try Self.open(directory).1.through == LSN(100))
        }
    }

    @Test func `a spool of something else is emptied`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.open(directory).1.transaction(1)
            let (spool, writer) = try Spool.open(
                directory: URL(filePath: directory),
                identity: "another slot",
                isBinary: true
            )
            #expect(writer.through == .zero)
            #expect(try Self.commits(spool) == [])
        }
    }

    @Test(.enabled(if: getuid() == 0, "mounting a small file system needs root"))
    func `a full disk is told, and nothing complete is lost`() async throws {
        try await withTemporaryDirectory { directory in
            guard Self.run("/bin/mount", ["-t", "tmpfs", "-o", "size=64k", "none", directory]) == 0 else {
                try Test.cancel("this machine does not let us mount a file system")
            }
            defer { _ = Self.run("/bin/umount", ["-l", directory]) }
            var complete: UInt64 = 0
            do {
                let (_, writer) = try Self.open(directory, segmentSize: 16 << 10)
                let error = #expect(throws: PostgresError.self) {
                    for number in 1...10_000 as ClosedRange<UInt64> {
                        try writer.transaction(number)
                        complete = number
                    }
                }
                #expect(error?.message.contains("could not write the spool segment") == true)
                #expect(error?.detail == "The system said: No space left on device.")
            }
            let (spool, writer) = try Self.open(directory, segmentSize: 16 << 10)
            #expect(writer.through >= LSN(complete * 10 + 9))
            #expect(try Self.commits(spool).count >= Int(complete))
        }
    }

    private static func open(_ directory: String, segmentSize: UInt64 = 200) throws -> (Spool, SpoolWriter) {
        try Spool.open(directory: URL(filePath: directory), identity: "slot", isBinary: true, segmentSize: segmentSize)
    }

    /// The transactions that can be read, in order.
    private static func commits(_ spool: Spool) throws -> [UInt64] {
        var reader = SpoolReader(spool: spool, from: spool.start)
        var commits: [UInt64] = []
        while let frame = try reader.next() { note(frame, &commits) }
        return commits
    }

    private static func note(_ frame: SpoolReader.Frame, _ commits: inout [UInt64]) {
        guard PgOutput.kind(of: frame.payload) == .commit else { return }
        commits.append(PgOutput.Commit(frame.payload).end.value / 10)
    }

    private static func damage(_ file: URL, at place: Int) throws {
        var bytes = try Data(contentsOf: file)
        bytes[place] ^= 1
        try bytes.write(to: file)
    }

    private static func run(_ program: String, _ arguments: [String]) -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        // A program that cannot be started has not succeeded.
        guard (try? process.run()) != nil else { return -1 }
        process.waitUntilExit()
        return process.terminationStatus
    }
}

extension SpoolWriter {
    func add(_ message: [UInt8]) throws {
        try message.withUnsafeBytes { try append($0, lsn: LSN(1)) }
    }

    /// Adds a whole transaction that ends at ten times its number, and nine.
    func transaction(_ number: UInt64) throws {
        try add(TestMessage.begin(number * 10))
        if number == 1 { try add(TestMessage.relation(7)) }
        try add(TestMessage.insert(7, [.text("\(number)")]))
        try add(TestMessage.commit(number * 10, end: number * 10 + 9))
        try publish()
    }
}
