import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

/// A pooler between martlet and a server.
struct Pitfall48PoolerTests {
    /// The program, where Debian's package puts it, or where `MARTLET_PGBOUNCER` says.
    private static let pooler: String? = {
        let named = ProcessInfo.processInfo.environment["MARTLET_PGBOUNCER"]
        return [named, "/usr/sbin/pgbouncer"].compactMap(\.self).first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    @Test(.enabled(if: pooler != nil, "pgbouncer is not installed"), .timeLimit(.minutes(2)), .databasePair)
    func `pitfall 48: a connection through a pooler is refused`() async throws {
        let pair = DatabasePair.current
        // What looks into public first would call this.
        try await execute(
            pair.source,
            "CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$"
        )
        try await withTemporaryDirectory { directory in
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory)
            let configuration = """
                [databases]
                * = host=\(pair.source["host"] ?? "") port=\(pair.source["port"] ?? "5432") user=\(pair.source["user"] ?? "")
                [pgbouncer]
                listen_addr =
                unix_socket_dir = \(directory)
                listen_port = 6543
                auth_type = any
                """
            try Data(configuration.utf8).write(to: URL(filePath: directory + "/pooler.ini"))
            let user = getuid() == 0 ? ["-u", "postgres"] : []
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let program = Program(
                        path: Self.pooler ?? "",
                        arguments: user + [directory + "/pooler.ini"],
                        environment: [:]
                    )
                    _ = try await program.run()
                }
                defer { group.cancelAll() }
                let pooled = pair.source.with("host", directory).with("port", "6543")
                try await eventually("the pooler answers") { (try? await ask(pooled, "SELECT 1")) == "1" }
                let move = TestMove(source: pooled, target: pair.target, directory: directory)
                let refused = try await move.run("migrate")
                #expect(refused.status == 2)
                #expect(refused.error.contains("the connection goes through a pooler"), "\(refused.error)")
            }
        }
    }
}
