import Cluster
import Postgres
import TestSupport
import Testing

@testable import Move

/// Checks of single pitfalls that need no move.
struct PreflightPitfallTests {
    @Test(.temporaryDatabase) func `an invalid index is a warning, until it is dropped`() async throws {
        let source = TemporaryDatabase.current
        try await run("CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1), (2, 1)", on: source)
        await #expect(throws: PostgresError.self) {
            try await run("CREATE UNIQUE INDEX CONCURRENTLY \"In\"\"valid\" ON t (n)", on: source)
        }
        let before = try await Preflight.run(source: source, target: nil, options: .init())
        let finding = try #require(before["source.invalid_indexes"].first)
        #expect(finding.level == .warning && finding.message == "1 invalid index is left out")
        try await run(finding.remedy, on: source)
        let after = try await Preflight.run(source: source, target: nil, options: .init())
        #expect(after["source.invalid_indexes"].isEmpty)
    }

    @Test(.databasePair) func `pitfall 32: other collations are reported, with their providers`() async throws {
        let pair = DatabasePair.current
        let options: SQL = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        try await withNewDatabase(on: pair.source, options: options) { other in
            let findings = try await Preflight.run(source: other, target: pair.target, options: .init())
            let finding = try #require(findings["both.locale"].first)
            #expect(finding.level == .warning)
            #expect(finding.detail?.contains("Providers: \"c\" and \"c\"") == true)
        }
    }

    @Test func `pitfall 33: a target without LZ4 blocks, with the commands for the source`() {
        let column = SourceSurvey.Object(kind: "lz4", name: QualifiedName(schema: "public", name: "T"), detail: "a b")
        let finding = TargetChecks.compression(columns: [column], hasLZ4: false)
        #expect(finding?.level == .blocker)
        #expect(finding?.remedy == ["ALTER TABLE \"public\".\"T\" ALTER COLUMN \"a b\" SET COMPRESSION default;"])
        #expect(TargetChecks.compression(columns: [column], hasLZ4: true) == nil)
        #expect(TargetChecks.compression(columns: [], hasLZ4: false) == nil)
    }

    @Test(.temporaryDatabase) func `pitfall 33: columns with LZ4 are found, and the server's own LZ4`() async throws {
        let source = TemporaryDatabase.current
        try await run("CREATE TABLE t (id int PRIMARY KEY, v text COMPRESSION lz4)", on: source)
        try await withNeutralConnection(to: source) { connection in
            let server = try ServerSurvey(connection)
            let survey = try await SourceSurvey.read(connection, server: server, options: .init())
            #expect(server.hasLZ4)
            #expect(survey.objects.filter { $0.kind == "lz4" }.map(\.detail) == ["v"])
        }
    }

    @Test(arguments: [
        (["plpgsql", "hstore"], Finding.Level.pass), (["plpgsql", "timescaledb"], .blocker), (["citus"], .blocker),
    ])
    func `pitfall 45: TimescaleDB and Citus are refused`(installed: [String], level: Finding.Level) {
        #expect(SourceChecks.unsupported(installed).level == level)
    }

    @Test(.temporaryDatabase)
    func `pitfall 50: tables of extensions with rows of the user are listed, with what copies them`() async throws {
        let source = TemporaryDatabase.current
        // As a job scheduler would have it.
        try await run(
            "CREATE EXTENSION citext",
            "CREATE TABLE \"Jobs\" (id int PRIMARY KEY, command text)",
            "ALTER EXTENSION citext ADD TABLE \"Jobs\"",
            """
            UPDATE pg_extension SET extconfig = ARRAY['"Jobs"'::regclass]::oid[], extcondition = ARRAY['WHERE id > 100']
             WHERE extname = 'citext'
            """,
            on: source
        )
        let findings = try await Preflight.run(source: source, target: nil, options: .init())
        let finding = try #require(findings["source.configuration_tables"].first)
        #expect(finding.level == .warning)
        #expect(finding.detail?.contains("of extension \"citext\"") == true)
        let copy = "COPY (SELECT * FROM \"public\".\"Jobs\" WHERE id > 100) TO STDOUT;"
        #expect(finding.remedy.first?.hasPrefix(copy) == true)
    }

    @Test(.temporaryDatabase)
    func `an event trigger that refuses what martlet makes is named, unless it does not fire`() async throws {
        let source = TemporaryDatabase.current
        try await run(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$",
            "CREATE EVENT TRIGGER \"No!\" ON ddl_command_end EXECUTE FUNCTION refuse()",
            on: source
        )
        let quiet = try await Preflight.run(source: source, target: nil, options: .init())
        #expect(quiet.blockers == [])
        try await run("ALTER EVENT TRIGGER \"No!\" ENABLE ALWAYS", on: source)
        let loud = try await Preflight.run(source: source, target: nil, options: .init())
        let finding = try #require(loud["source.create"].first)
        #expect(finding.level == .blocker)
        #expect(finding.remedy.last == "ALTER EVENT TRIGGER \"No!\" DISABLE;")
        try await run([try #require(finding.remedy.last)], on: source)
        let after = try await Preflight.run(source: source, target: nil, options: .init())
        #expect(after.blockers == [])
    }

    @Test(.timeLimit(.minutes(2)))
    func `more tables than there is room for locks block, until the remedy was run`() async throws {
        let settings = ["max_locks_per_transaction": "10", "max_connections": "20", "max_worker_processes": "8"]
        try await withServer(ServerConfiguration(settings: settings)) { server in
            let source = server.connection()
            for part in 0..<4 {
                try await run(
                    """
                    DO $$ BEGIN
                        FOR i IN 1 .. 75 LOOP EXECUTE 'CREATE TABLE t\(part)_' || i || ' (id int)'; END LOOP;
                    END $$
                    """,
                    on: source
                )
            }
            let before = try await Preflight.run(source: source, target: nil, options: .init())
            let finding = try #require(before["source.locks"].first)
            #expect(finding.level == .blocker)
            #expect(finding.message == "there is room for 620 locks, and 300 tables must be locked at once")
            try await run([try #require(finding.remedy.first)], on: source)
            try await server.stop()
            try await server.start()
            let after = try await Preflight.run(source: source, target: nil, options: .init())
            #expect(after["source.locks"].map(\.level) == [.pass])
        }
    }
}
