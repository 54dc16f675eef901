import Foundation
import Postgres
import TestSupport
import Testing

/// What a move needs of memory, as the system sees it.
struct Pitfall20MemoryTests {
    @Test(.timeLimit(.minutes(5)))
    func `pitfall 20: a large transaction and a value of 16 MB are copied and followed within 200 MB of memory`()
        async throws
    {
        let definitions: SQL = """
            CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE v (id int PRIMARY KEY, n int, big text);
            ALTER TABLE v ALTER big SET STORAGE EXTERNAL; INSERT INTO v VALUES (1, 1, repeat('x', 16000000))
            """
        try await withMove(of: definitions) { move in
            let migration = try await move.run("migrate", ["--lanes", "3"]) { process in
                try await move.untilFollowing()
                try await move.write(
                    "INSERT INTO t SELECT i, 0 FROM generate_series(1, 200000) i; UPDATE t SET n = 1 WHERE id % 4 = 0; DELETE FROM t WHERE id % 7 = 0",
                    "INSERT INTO v VALUES (2, 2, repeat('y', 16000000)); UPDATE v SET n = 3; UPDATE v SET big = repeat('z', 16000000) WHERE id = 1",
                    "UPDATE v SET id = 20 WHERE id = 2; UPDATE v SET n = 4 WHERE id = 20"
                )
                try await move.mustBeEqual()
                let peak = try Self.peakMegabytes(of: process)
                #expect(peak < 200)
                try await move.must("abort")
            }
            #expect(migration.status == 0, "\(migration.error)")
        }
    }

    private static func peakMegabytes(of process: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) / 1024
    }
}
