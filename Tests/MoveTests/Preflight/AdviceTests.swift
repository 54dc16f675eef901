import Cluster
import Postgres
import TestSupport
import Testing

@testable import Move

/// What would make a load faster; each piece of advice is followed, and is not given again.
struct AdviceTests {
    private static let rows: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, pad text);
        INSERT INTO t SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 45000) i
        """

    private func advice(
        _ source: ConnectionString,
        _ target: ConnectionString,
        isOnce: Bool = false,
        from bytes: Int = 1
    ) async throws -> Findings {
        var options = Preflight.Options()
        options.smallestAdvised = bytes
        options.isOnce = isOnce
        return try await Preflight.run(source: source, target: target, options: options)
    }

    @Test
    func `a target that would make checkpoints all the time is given a larger log, and can have its old one back`()
        async throws
    {
        try await withDatabasePair { pair in
            try await execute(pair.source, Self.rows)
            let settings = ["max_wal_size": "32MB", "min_wal_size": "32MB"]
            try await withServer(ServerConfiguration(settings: settings)) { server in
                try await execute(server.connection(), "CREATE DATABASE copy")
                let target = server.connection(to: "copy")
                // A small load is not worth a word.
                #expect(try await advice(pair.source, target, from: 1 << 30).advice == [])
                let findings = try await advice(pair.source, target)
                let finding = try #require(findings["target.max_wal_size"].first)
                #expect(finding.level == .advice && findings.blockers.isEmpty)
                #expect(findings.summary.contains("of advice"))
                #expect(finding.detail?.contains("ALTER SYSTEM SET max_wal_size = '32MB'") == true)
                try await run(finding.remedy, on: target)
                try await eventually("the setting is changed") {
                    try await ask(target, "SHOW max_wal_size") == "4GB"
                }
                #expect(try await advice(pair.source, target)["target.max_wal_size"].map(\.level) == [.pass])
                let compression = try #require(try await advice(pair.source, target)["target.wal_compression"].first)
                try await run(compression.remedy, on: target)
                try await eventually("the setting is changed") {
                    try await ask(target, "SHOW wal_compression") != "off"
                }
                #expect(try await advice(pair.source, target).advice == [])
            }
        }
    }

    @Test func `a copy that nobody follows can do without a log`() async throws {
        try await withDatabasePair { pair in
            try await execute(pair.source, Self.rows)
            try await withServer(ServerConfiguration(settings: ["wal_level": "replica"])) { server in
                try await execute(server.connection(), "CREATE DATABASE copy")
                let target = server.connection(to: "copy")
                #expect(try await advice(pair.source, target)["target.wal_minimal"].isEmpty)
                let finding = try #require(
                    try await advice(pair.source, target, isOnce: true)["target.wal_minimal"].first
                )
                try await run(finding.remedy, on: target)
                try await server.restart()
                #expect(try await ask(target, "SHOW wal_level") == "minimal")
                #expect(try await advice(pair.source, target, isOnce: true)["target.wal_minimal"].isEmpty)
            }
        }
    }

    @Test func `a source whose slots have written to disk is given memory for them`() async throws {
        try await withServer { server in
            try await withDatabasePair { pair in
                let source = server.connection()
                #expect(try await advice(source, pair.target)["source.decoding_memory"].isEmpty)
                try await execute(source, Self.rows)
                try await withConnection(to: source) { connection in
                    try connection.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
                    try connection.execute("CREATE PUBLICATION p FOR ALL TABLES; UPDATE t SET pad = pad || 'x'")
                    try connection.execute("SET logical_decoding_work_mem = '64kB'")
                    try connection.execute(
                        "SELECT count(*) FROM pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')"
                    )
                }
                try await eventually("the server has counted") {
                    try await advice(source, pair.target)["source.decoding_memory"].first?.level == .advice
                }
                let finding = try #require(try await advice(source, pair.target)["source.decoding_memory"].first)
                try await run(finding.remedy, on: source)
                #expect(try await ask(source, "SHOW logical_decoding_work_mem") == "1GB")
            }
        }
    }
}
