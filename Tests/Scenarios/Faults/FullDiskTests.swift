import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Disks that are full: of martlet's spool, of the source, of the target.
struct FullDiskTests {
    private static let table: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, v text);
        ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
        INSERT INTO t VALUES (1, 'a')
        """

    /// A MiB that no compression makes smaller, again and again.
    private static let growth: SQL = """
        INSERT INTO t SELECT max(id) + 1, (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32768)) FROM t
        """

    @Test(.timeLimit(.minutes(10)))
    func `a move whose spool has no room stops, and goes on when there is room`() async throws {
        try await withMove(of: Self.table) { move in
            try await withSmallDisk(megabytes: 64) { disk in
                guard let disk else { try Test.cancel("no file system can be mounted here") }
                let move = TestMove(source: move.source, target: move.target, directory: disk.path + "/work")
                let stopped = try await move.run("migrate") { process in
                    try await move.untilFollowing()
                    try disk.fill()
                    try await eventually("martlet has ended") {
                        try await execute(move.source, Self.growth)
                        return try await ask(move.target, TestMove.leases)
                            == "0"
                    }
                }
                #expect(stopped.status == 1)
                #expect(stopped.error.contains("could not write the spool segment"), "\(stopped.error)")
                #expect(stopped.error.contains("No space left on device"), "\(stopped.error)")
                // What is written meanwhile is read by queries, for which there is no room, either.
                for _ in 0..<24 { try await execute(move.source, Self.growth) }
                let again = try await move.run("migrate")
                #expect(again.status == 1)
                #expect(again.error.contains("No space left on device"), "\(again.error)")
                disk.free()
                try await move.follow(then: .finish) {}
                #expect(try await move.leftovers() == "")
            }
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a move into a server without room says so, and goes on when there is room`() async throws {
        try await withSmallDisk(megabytes: 400) { disk in
            guard let disk else { try Test.cancel("no file system can be mounted here") }
            try await withFull(disk) { move in
                let stopped = try await move.run("migrate") { _ in
                    try await move.untilFollowing()
                    try disk.fill()
                    try await withConnection(to: move.source) { source in
                        for _ in 0..<24 { try source.execute(Self.growth) }
                    }
                }
                #expect(stopped.status == 1)
                #expect(stopped.error.contains("No space left on device"), "\(stopped.error)")
            }
        }
    }

    /// Runs `body` with a move into a server on `disk`, then makes room, and expects that the same command goes on.
    private func withFull(_ disk: SmallDisk, _ body: (TestMove) async throws -> Void) async throws {
        var configuration = ServerConfiguration(settings: ["max_wal_size": "64MB", "min_wal_size": "32MB"])
        configuration.directory = disk.path + "/server"
        try await withServer(configuration) { target in
            try await withDatabase(on: TestServer.shared(.source)) { source in
                try await withTemporaryDirectory { directory in
                    try await execute(source, Self.table)
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let move = TestMove(source: source, target: target.connection(to: "copy"), directory: directory)
                    try await body(move)
                    disk.free()
                    try await target.start()
                    try await move.follow(then: .abort) {}
                    #expect(try await move.leftovers() == "")
                }
            }
        }
    }
}
