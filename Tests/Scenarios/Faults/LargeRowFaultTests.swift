import Foundation
import Postgres
import TestSupport
import Testing

/// Faults in the middle of a row that is too large to be held.
struct LargeRowFaultTests {
    enum Way: String, Sendable, CaseIterable {
        case fromSource, toTarget
    }

    enum Failing: String, Sendable, CaseIterable {
        case killed, cut
    }

    private static let bytes = 24_000_000
    private static let definitions: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, n int, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
        INSERT INTO t VALUES (1, 1, 'small'), (2, 2, repeat('x', \(bytes)))
        """

    @Test(.timeLimit(.minutes(10)), arguments: Way.allCases, Failing.allCases)
    func `a fault in the middle of a row of 24 MB loses and doubles nothing`(way: Way, failing: Failing) async throws {
        try await withFaultyMove(of: Self.definitions) { move, servers in
            let wire = way == .fromSource ? servers.sourceWire : servers.targetWire
            let first = try await move.run("migrate") { process in
                try await move.untilFollowing(process)
                wire.change { $0.bytesPerSecond = 3_000_000 }
                try await execute(servers.directSource, Self.change)
                try await untilUnderWay(way, move, servers)
                if failing == .killed {
                    kill(process, SIGKILL)
                } else {
                    wire.cut()
                }
                wire.change { $0.bytesPerSecond = nil }
                if failing == .cut { try await finish(move, servers, process) }
            }
            if failing == .cut {
                #expect(first.status == 0, "\(first.error)")
            } else {
                #expect(first.status == 128 + SIGKILL)
                let second = try await move.run("migrate") { try await finish(move, servers, $0) }
                #expect(second.status == 0, "\(second.error)")
            }
            #expect(try await move.leftovers() == "")
        }
    }

    /// One transaction with small rows before and after the large ones.
    private static let change: SQL = """
        BEGIN; UPDATE t SET n = n + 1; INSERT INTO t VALUES (3, 3, 'small'), (4, 4, repeat('y', \(bytes)));
        UPDATE t SET big = repeat('z', \(bytes)), id = 20 WHERE id = 2; UPDATE t SET n = 7 WHERE id = 3; COMMIT
        """

    /// Waits until a part of the first large row, and not all of it, has gone over the slow wire.
    private func untilUnderWay(_ way: Way, _ move: TestMove, _ servers: FaultyServers) async throws {
        switch way {
        case .fromSource:
            try await eventually("a part of the row is in the spool") {
                Self.spoolSize(of: move) > Self.bytes / 4
            }
            #expect(Self.spoolSize(of: move) < Self.bytes)
        case .toTarget:
            try await eventually("the row is in the spool") { Self.spoolSize(of: move) > 2 * Self.bytes }
            let applying: SQL = """
                SELECT count(*) > 0 FROM pg_stat_activity
                 WHERE application_name LIKE 'martlet apply%' AND state = 'idle in transaction'
                """
            try await eventually("the row is on its way to the target") {
                try await ask(servers.directTarget, applying) == "t"
            }
            #expect(try await ask(servers.directTarget, "SELECT count(*) FROM t") == "2")
        }
    }

    private func finish(_ move: TestMove, _ servers: FaultyServers, _ process: Int32) async throws {
        try await eventually("the change is applied", within: .seconds(240)) {
            let facts: SQL = "SELECT concat_ws(' ', count(*), sum(n), sum(id), sum(length(big))) FROM t"
            return try await ask(servers.directTarget, facts) == ask(servers.directSource, facts)
        }
        try await move.untilFollowing(process)
        try await move.mustBeEqual()
        try await move.must("abort")
    }

    private static func spoolSize(of move: TestMove) -> Int {
        // A file may go while it is looked at.
        let files = FileManager.default.enumerator(
            at: URL(filePath: move.directory),
            includingPropertiesForKeys: [.fileSizeKey]
        )?.compactMap { $0 as? URL }.filter { $0.pathExtension == "spool" }
        return (files ?? []).reduce(0) { sum, file in
            sum + ((try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0)
        }
    }
}
