import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Move

@Suite(.databasePair)
struct PreflightServerTests {
    @Test func `two empty databases have nothing in their way`() async throws {
        let pair = DatabasePair.current
        let findings = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        #expect(findings.blockers == [])
        #expect(findings["source.wal_level"].map(\.level) == [.pass])
        #expect(findings["target.empty"].map(\.level) == [.pass])
        #expect(findings.source.database == pair.source["dbname"])
        #expect(findings.target?.encoding == "UTF8")
    }

    @Test func `a preflight leaves nothing behind`() async throws {
        let pair = DatabasePair.current
        _ = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        for place in [pair.source, pair.target] {
            try await withConnection(to: place) { connection in
                let found = try connection.query(
                    """
                    SELECT nspname FROM pg_namespace WHERE nspname ~ 'martlet'
                    UNION ALL SELECT pubname FROM pg_publication UNION ALL SELECT roname FROM pg_replication_origin
                    """
                )
                #expect(found.count == 0)
            }
        }
    }

    @Test func `source and target may not be the same database`() async throws {
        let source = DatabasePair.current.source
        let findings = try await Preflight.run(source: source, target: source, options: .init())
        #expect(findings["both.same"].map(\.level) == [.blocker])
    }

    @Test func `too many jobs find no room`() async throws {
        let pair = DatabasePair.current
        var options = Preflight.Options()
        options.jobs = 5000
        let findings = try await Preflight.run(source: pair.source, target: pair.target, options: options)
        #expect(findings["source.connections"].map(\.level) == [.blocker])
        #expect(findings["target.connections"].map(\.level) == [.blocker])
    }

    @Test func `a role with a connection limit has room for no more, until it is lifted`() async throws {
        let pair = DatabasePair.current
        try await withRole(on: pair.target, attributes: "CONNECTION LIMIT 3") { _, place in
            let before = try await Preflight.run(source: pair.source, target: place, options: .init())
            let finding = try #require(before["target.connections"].first)
            #expect(finding.level == .blocker)
            try await run(finding.remedy, on: pair.target)
            let after = try await Preflight.run(source: pair.source, target: place, options: .init())
            #expect(after["target.connections"].map(\.level) == [.pass])
        }
    }

    @Test func `a collation of ICU needs a target that knows ICU`() async throws {
        let pair = DatabasePair.current
        try await run("CREATE COLLATION blind (provider = icu, locale = 'und')", on: pair.source)
        // What a server that was built without ICU does not have.
        try await run("DELETE FROM pg_collation WHERE collname LIKE '%-x-icu'", on: pair.target)
        let before = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        let finding = try #require(before["target.icu"].first)
        #expect(finding.level == .blocker)
        #expect(finding.detail?.contains("blind") == true)
        try await run(finding.remedy, on: pair.target)
        let after = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        #expect(after["target.icu"].isEmpty)
    }

    @Test func `a server that cannot be reached is an error, not a finding`() async throws {
        let source = DatabasePair.current.source.with("port", "1")
        await #expect(throws: PostgresError.self) {
            try await Preflight.run(source: source, target: nil, options: .init())
        }
    }

    @Test func `pitfall 30: a target in another encoding than UTF8 is refused, one in UTF8 converts`() async throws {
        let pair = DatabasePair.current
        let latin: SQL = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        try await withNewDatabase(on: pair.target, options: latin) { target in
            let there = try await Preflight.run(source: pair.source, target: target, options: .init())
            #expect(there["both.encoding"].map(\.level) == [.blocker])
            let back = try await Preflight.run(source: target, target: pair.source, options: .init())
            #expect(back["both.encoding"].map(\.level) == [.warning])
            #expect(back["both.locale"].map(\.level) == [.warning])

            let remedy = try #require(there["both.encoding"].first?.remedy)
            try await run(remedy, on: pair.target)
            try await run(
                "DROP DATABASE \(Identifier((target["dbname"] ?? "") + "_utf8"))",
                on: pair.target
            )
        }
    }
}

/// A server of its own with `wal_level = replica`, for what a test changes on a whole server.
@Suite(.serialized)
struct PreflightReplicaServerTests {
    private func withReplicaServer(_ body: (ConnectionString) async throws -> Void) async throws {
        let configuration = ServerConfiguration(settings: ["wal_level": "replica"])
        try await withServer(configuration) { try await body($0.connection()) }
    }

    @Test func `pitfall 46: wal_level replica blocks following, not a copy`() async throws {
        try await withReplicaServer { source in
            let findings = try await Preflight.run(source: source, target: nil, options: .init())
            let finding = try #require(findings["source.wal_level"].first)
            #expect(finding.level == .blocker)
            #expect(finding.remedy.first == "ALTER SYSTEM SET wal_level = 'logical';")
            #expect(finding.remedy.last?.hasPrefix("-- then restart the server: pg_ctl restart -D '/") == true)

            var options = Preflight.Options()
            options.isOnce = true
            let once = try await Preflight.run(source: source, target: nil, options: options)
            #expect(once.blockers == [])
            #expect(once["source.wal_level"].isEmpty)
        }
    }

    @Test func `a target without logical log allows no way back, which is a warning`() async throws {
        try await withDatabase(on: TestServer.shared()) { source in
            try await withReplicaServer { target in
                var options = Preflight.Options()
                let findings = try await Preflight.run(source: source, target: target, options: options)
                #expect(findings["target.wal_level"].map(\.level) == [.warning])
                options.wantsRollback = false
                let without = try await Preflight.run(source: source, target: target, options: options)
                #expect(without["target.wal_level"].isEmpty)
            }
        }
    }

    @Test func `pitfall 47: slots that are all taken block`() async throws {
        try await withReplicaServer { source in
            try await run(
                """
                SELECT pg_create_physical_replication_slot('taken_' || i)
                  FROM generate_series(2, current_setting('max_replication_slots')::int) i
                """,
                on: source
            )
            let one = try await Preflight.run(source: source, target: nil, options: .init())
            #expect(one["source.slots"].first?.message == "only 1 replication slot is free, 2 are needed")
            try await run("SELECT pg_create_physical_replication_slot('taken_1')", on: source)
            let none = try await Preflight.run(source: source, target: nil, options: .init())
            #expect(none["source.slots"].first?.message == "no replication slot is free, 2 are needed")
            #expect(none["source.slots"].first?.level == .blocker)
            try await run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots", on: source)
            let free = try await Preflight.run(source: source, target: nil, options: .init())
            #expect(free["source.slots"].map(\.level) == [.pass])
        }
    }

    @Test func `pitfall 24: a server that drops slots which lag is a warning, and its remedy helps`() async throws {
        try await withReplicaServer { source in
            try await run("ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'", "SELECT pg_reload_conf()", on: source)
            try await eventually(source, "source.slot_retention", is: .warning)
            let findings = try await Preflight.run(source: source, target: nil, options: .init())
            try await run(try #require(findings["source.slot_retention"].first).remedy, on: source)
            try await eventually(source, "source.slot_retention", is: .pass)
        }
    }

    /// A reload reaches a session when it next looks; new sessions follow the postmaster, which may take a moment.
    private func eventually(_ source: ConnectionString, _ check: String, is level: Finding.Level) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let findings = try await Preflight.run(source: source, target: nil, options: .init())
            if findings[check].map(\.level) == [level] { return }
        }
        Issue.record("\(check) did not become \(level)")
    }
}
