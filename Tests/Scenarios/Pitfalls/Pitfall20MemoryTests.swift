import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// What a move needs of memory, as the system sees it.
///
/// MARTLET_LARGE=1 takes ten million rows, a value of 500 MB and a hundred thousand subtransactions. See `make large`.
@Suite(.serialized)
struct Pitfall20MemoryTests {
    private static let isLarge = ProcessInfo.processInfo.environment["MARTLET_LARGE"] != nil
    private static let rows = isLarge ? 10_000_000 : 200_000
    private static let valueBytes = isLarge ? 500_000_000 : 16_000_000
    private static let subtransactions = isLarge ? 100_000 : 5000

    @Test(.timeLimit(.minutes(isLarge ? 60 : 5)))
    func `pitfall 20: a large transaction is followed within 200 MB of memory`() async throws {
        try await follow("CREATE TABLE t (id int PRIMARY KEY, n int)") { move in
            try await move.write(
                """
                INSERT INTO t SELECT i, 0 FROM generate_series(1, \(Self.rows)) i;
                UPDATE t SET n = 1 WHERE id % 4 = 0; DELETE FROM t WHERE id % 7 = 0
                """
            )
        }
    }

    /// Plain, encrypted, and by libpq alone, which takes gigabytes for the largest value.
    private static let ways = [(false, false), (true, false)] + (isLarge ? [] : [(false, true)])

    /// With `isOfLibpq` libpq reads and writes everything, as where Kerberos encrypts: slower, larger, and no less right.
    @Test(.timeLimit(.minutes(isLarge ? 60 : 5)), arguments: ways)
    func `pitfall 20: a large value is copied and followed within 200 MB of memory`(
        isEncrypted: Bool,
        isOfLibpq: Bool
    ) async throws {
        let definitions: SQL = """
            CREATE TABLE t (id int PRIMARY KEY, n int, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
            INSERT INTO t VALUES (1, 1, repeat('x', \(Self.valueBytes)))
            """
        try await follow(definitions, isEncrypted: isEncrypted, isOfLibpq: isOfLibpq) { move in
            try await move.write(
                "INSERT INTO t VALUES (2, 2, repeat('y', \(Self.valueBytes)))",
                "UPDATE t SET n = 3",
                "UPDATE t SET big = repeat('z', \(Self.valueBytes)) WHERE id = 1",
                "UPDATE t SET id = 20 WHERE id = 2; UPDATE t SET n = 4 WHERE id = 20",
                // Somebody else's messages are in the log, too.
                "SELECT pg_logical_emit_message(false, 'other', repeat('m', \(Self.valueBytes)))",
                "SELECT pg_logical_emit_message(true, 'other', repeat('m', \(Self.valueBytes))); UPDATE t SET n = 5"
            )
        }
    }

    /// The whole old row comes with each change, and names the row.
    @Test(.timeLimit(.minutes(isLarge ? 60 : 5)))
    func `pitfall 20: a large value in a row without a key is followed within 200 MB of memory`() async throws {
        let definitions: SQL = """
            CREATE TABLE t (id int, n int, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
            ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 1, repeat('x', \(Self.valueBytes * 9 / 10)))
            """
        try await follow(definitions) { move in
            try await move.write(
                "UPDATE t SET n = 3",
                "UPDATE t SET big = repeat('z', \(Self.valueBytes * 9 / 10))",
                "INSERT INTO t VALUES (2, 2, 'small'); UPDATE t SET n = 4; DELETE FROM t WHERE id = 1"
            )
        }
    }

    @Test(.timeLimit(.minutes(isLarge ? 60 : 5)))
    func `pitfall 21: thousands of subtransactions are followed within 200 MB of memory`() async throws {
        try await follow("CREATE TABLE t (id int PRIMARY KEY, n int)") { move in
            try await move.write(
                """
                DO $$ BEGIN
                  FOR i IN 1 .. \(Self.subtransactions) LOOP
                    BEGIN
                      INSERT INTO t VALUES (i, 0);
                      IF i % 3 = 0 THEN RAISE EXCEPTION 'undone'; END IF;
                    EXCEPTION WHEN raise_exception THEN NULL;
                    END;
                  END LOOP;
                END $$
                """
            )
        }
    }

    /// Moves a database of its own server, has `write` change it while changes are followed, and compares.
    private func follow(
        _ definitions: SQL,
        isEncrypted: Bool = false,
        isOfLibpq: Bool = false,
        _ write: (TestMove) async throws -> Void
    ) async throws {
        try await Self.withMove(of: definitions, isEncrypted: isEncrypted) { given in
            var peak = 0
            var move = given
            if isOfLibpq { move.program.environment["MARTLET_TRANSPORT"] = "libpq" }
            let migration = try await move.run("migrate", ["--lanes", "3"]) { process in
                try await move.untilFollowing(process, within: .seconds(900))
                try await write(move)
                let facts: SQL = "SELECT concat_ws(' ', count(*), sum(n), max(id)) FROM t"
                let expected = try await ask(move.source, facts)
                try await eventually("the changes are applied", within: .seconds(2400)) {
                    try await ask(move.target, facts) == expected
                }
                try await move.mustBeEqual()
                peak = try Self.peakMegabytes(of: process)
                try await move.must("abort")
            }
            #expect(migration.status == 0, "\(migration.error)")
            if Self.isLarge { print("large: at most \(peak) MB resident") }
            // A value of 16 MB that was held somewhere, with the copies that libpq makes of it, would show.
            #expect(peak < (Self.isLarge ? 200 : 120) || isOfLibpq)
        }
    }

    /// Runs `body` with a move between two servers of its own, over TCP; `definitions` are made on the source before.
    private static func withMove(
        of definitions: SQL,
        isEncrypted: Bool,
        _ body: (TestMove) async throws -> Void
    ) async throws {
        try await withServer(ServerConfiguration(tcp: .anyPort)) { source in
            try await withServer(ServerConfiguration(tcp: .anyPort)) { target in
                try await withTemporaryDirectory { directory in
                    try await execute(source.socketConnection(), definitions)
                    try await execute(target.socketConnection(), "CREATE DATABASE copy")
                    if isEncrypted {
                        try await source.encrypt()
                        try await target.encrypt()
                    }
                    let mode = isEncrypted ? "require" : "disable"
                    let move = TestMove(
                        source: source.connection().with("sslmode", mode),
                        target: target.connection(to: "copy").with("sslmode", mode),
                        directory: directory
                    )
                    try await body(move)
                }
            }
        }
    }

    private static func peakMegabytes(of process: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) / 1024
    }
}
