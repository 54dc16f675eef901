import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Engine
@testable import Move

@Suite(.databasePair)
struct PreflightTableTests {
    /// A thing that is in the way, and whether its remedy, run as it is printed, clears it.
    struct Case: Sendable, CustomTestStringConvertible {
        let check: String
        let level: Finding.Level
        let setup: [SQL]
        /// Afterwards the check is gone, or passes.
        var isCured = true
        var testDescription: String { check }
    }

    static let hostile: SQL = "\"naïve \"\" schema 🐘\".\"it's; DROP \"\"TABLE\"\" --\""

    static let cases: [Case] = [
        Case(check: "source.identity_full", level: .warning, setup: ["CREATE TABLE \(hostile) (a int, b text)"]),
        Case(
            check: "source.identity_index",
            level: .pass,
            setup: ["CREATE TABLE \(hostile) (a int NOT NULL)", "CREATE UNIQUE INDEX \"Ü \"\" ix\" ON \(hostile) (a)"],
            isCured: false
        ),
        Case(
            check: "source.unlogged",
            level: .warning,
            setup: ["CREATE UNLOGGED TABLE \(hostile) (a int PRIMARY KEY)"]
        ),
        Case(
            check: "source.sequences",
            level: .warning,
            setup: [
                "CREATE TABLE \(hostile) (\"I d\" serial PRIMARY KEY)",
                """
                SELECT setval(pg_get_serial_sequence('"naïve "" schema 🐘"."it''s; DROP ""TABLE"" --"', 'I d'), 2147483000)
                """,
            ]
        ),
        Case(
            check: "source.sequences",
            level: .warning,
            setup: [
                "CREATE TABLE \(hostile) (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
                "SELECT setval(pg_get_serial_sequence('"
                    + "\"naïve \"\" schema 🐘\".\"it''s; DROP \"\"TABLE\"\" --\"', 'id'), 2147483000)",
            ]
        ),
        Case(
            check: "source.sequences",
            level: .warning,
            setup: ["CREATE SEQUENCE \"down '1'\" AS smallint INCREMENT -1", "SELECT setval('\"down ''1''\"', -32000)"]
        ),
        Case(
            check: "source.replica_triggers",
            level: .pass,
            setup: [
                "CREATE TABLE \(hostile) (id int PRIMARY KEY)",
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                "CREATE TRIGGER \"a\"\"lways\" BEFORE INSERT ON \(hostile) FOR EACH ROW EXECUTE FUNCTION f()",
                "CREATE TRIGGER \"re plica\" BEFORE INSERT ON \(hostile) FOR EACH ROW EXECUTE FUNCTION f()",
                "ALTER TABLE \(hostile) ENABLE ALWAYS TRIGGER \"a\"\"lways\"",
                "ALTER TABLE \(hostile) ENABLE REPLICA TRIGGER \"re plica\"",
            ],
            isCured: false
        ),
        Case(
            check: "source.publications",
            level: .warning,
            setup: ["CREATE PUBLICATION \"theirs \"\" \""],
            isCured: false
        ),
        Case(
            check: "source.large_objects",
            level: .warning,
            setup: ["SELECT lo_from_bytea(0, 'x')"],
            isCured: false
        ),
        Case(
            check: "source.event_triggers",
            level: .warning,
            setup: [
                "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
                "CREATE EVENT TRIGGER \"martlet test \(UInt32.random(in: 0 ... .max))\" ON ddl_command_end EXECUTE FUNCTION e()",
            ],
            isCured: false
        ),
        Case(
            check: "source.text_types",
            level: .pass,
            setup: ["CREATE TABLE \(hostile) (id int PRIMARY KEY, c regclass, d aclitem[])"],
            isCured: false
        ),
        Case(
            check: "source.partitioned",
            level: .warning,
            setup: [
                "CREATE TABLE \(hostile) (id int PRIMARY KEY) PARTITION BY RANGE (id)",
                "CREATE TABLE part PARTITION OF \(hostile) DEFAULT",
            ],
            isCured: false
        ),
        Case(
            check: "source.inheritance",
            level: .pass,
            setup: ["CREATE TABLE \(hostile) (id int PRIMARY KEY)", "CREATE TABLE child () INHERITS (\(hostile))"],
            isCured: false
        ),
        Case(
            check: "source.materialized_views",
            level: .pass,
            setup: ["CREATE MATERIALIZED VIEW \(hostile) AS SELECT 1"],
            isCured: false
        ),
        Case(
            check: "source.deferrable",
            level: .pass,
            setup: ["CREATE TABLE \(hostile) (id int PRIMARY KEY, b int UNIQUE DEFERRABLE)"],
            isCured: false
        ),
        Case(
            check: "source.rules",
            level: .pass,
            setup: [
                "CREATE TABLE \(hostile) (id int PRIMARY KEY)",
                "CREATE RULE r AS ON DELETE TO \(hostile) DO INSTEAD NOTHING",
            ],
            isCured: false
        ),
        Case(
            check: "source.generated",
            level: .pass,
            setup: ["CREATE TABLE \(hostile) (id int PRIMARY KEY, d int GENERATED ALWAYS AS (id * 2) STORED)"],
            isCured: false
        ),
        Case(
            check: "source.identity_columns",
            level: .pass,
            setup: ["CREATE TABLE \(hostile) (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"],
            isCured: false
        ),
    ]

    @Test(arguments: cases)
    func `is found, and cleared by its remedy`(_ example: Case) async throws {
        let source = DatabasePair.current.source
        try await run("CREATE SCHEMA \"naïve \"\" schema 🐘\"", on: source)
        for statement in example.setup { try await run(statement, on: source) }
        let before = try await Preflight.run(source: source, target: nil, options: .init())
        let finding = try #require(before[example.check].first)
        #expect(finding.level == example.level)
        #expect(before.blockers == [])
        // What is well needs no work.
        #expect(before.findings.filter { $0.level == .pass && !$0.remedy.isEmpty } == [])
        guard example.isCured else { return }
        try #require(!finding.remedy.isEmpty)
        try await run(finding.remedy, on: source)
        let after = try await Preflight.run(source: source, target: nil, options: .init())
        #expect(after[example.check] == [])
    }

    @Test func `a target that holds tables is refused, the new database of the remedy is not`() async throws {
        let pair = DatabasePair.current
        try await run("CREATE TABLE \"Old orders\" (id int)", on: pair.target)
        let before = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        let finding = try #require(before["target.empty"].first)
        #expect(finding.level == .blocker)
        #expect(finding.detail?.contains("public.\"Old orders\"") == true)
        try await run(finding.remedy, on: pair.target)
        let fresh = (pair.target["dbname"] ?? "") + "_new"
        let target = pair.target.with("dbname", fresh)
        let after = try await Preflight.run(source: pair.source, target: target, options: .init())
        #expect(after["target.empty"].map(\.level) == [.pass])
        // Large objects are known by their numbers.
        try await execute(pair.source, "SELECT lo_create(n) FROM unnest(ARRAY[70001, 70002]) AS n")
        try await execute(target, "SELECT lo_create(n) FROM unnest(ARRAY[70002, 70003]) AS n")
        let taken = try await Preflight.run(source: pair.source, target: target, options: .init())
        let occupied = try #require(taken["target.empty"].first)
        #expect(occupied.level == .blocker && occupied.detail?.contains("70002") == true, "\(occupied)")
        try await execute(target, "SELECT lo_unlink(70002)")
        let freed = try await Preflight.run(source: pair.source, target: target, options: .init())
        #expect(freed["target.empty"].map(\.level) == [.pass])
        try await run("DROP DATABASE \(Identifier(fresh))", on: pair.target)
    }

    @Test(arguments: [true, false])
    func `a journal of this source goes on, one of another is in the way`(isOurs: Bool) async throws {
        let pair = DatabasePair.current
        let empty = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        let migration = Journal.Migration(
            id: "abc",
            phase: "loading",
            source: "db.example.org:5432/shop",
            sourceSystem: try #require(empty.source.systemIdentifier),
            sourceDatabase: isOurs ? empty.source.database : "another",
            plan: Data("{}".utf8),
            slotStart: nil,
            hasSchema: false,
            hasConstraints: false
        )
        try await withConnection(to: pair.target) { try await Journal.create(migration, on: $0) }
        try await run("CREATE TABLE orders (id int)", on: pair.target)
        let findings = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        let finding = try #require(findings["target.empty"].first)
        #expect(finding.level == (isOurs ? .pass : .blocker))
        // With a mistyped target, a command that ends the move would end somebody else's.
        #expect(finding.remedy.isEmpty)
    }

    @Test func `what is not selected is not in the way`() async throws {
        let source = DatabasePair.current.source
        try await run(
            "CREATE TABLE kept (id int PRIMARY KEY)",
            "CREATE TABLE keyless (a int)",
            "CREATE UNLOGGED TABLE scratch (a int PRIMARY KEY)",
            on: source
        )
        var options = Preflight.Options()
        options.tables = try TableFilter(including: ["public.*"], excluding: ["keyless", "scr*"])
        let findings = try await Preflight.run(source: source, target: nil, options: options)
        #expect(findings["source.identity_full"] == [])
        #expect(findings["source.unlogged"] == [])
        #expect(findings.volume.tables == 1)
    }
}

/// On servers of their own: an open transaction keeps every other test of the server from making a slot.
@Suite(.serialized)
struct PreflightTransactionTests {
    private func withOwnServer(_ body: (ConnectionString) async throws -> Void) async throws {
        try await withServer { try await body($0.connection()) }
    }

    @Test func `pitfall 18: a prepared transaction is named, and its remedy ends it`() async throws {
        try await withOwnServer { source in
            try await run("CREATE TABLE t (id int PRIMARY KEY)", on: source)
            let gid = "it's \\ \"odd\" 🐘 \(UInt32.random(in: 0 ... .max))"
            try await run("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION \(literal: gid)", on: source)
            func finding() async throws -> Finding? {
                let findings = try await Preflight.run(source: source, target: nil, options: .init())
                return findings["source.prepared_transactions"].first { $0.message.contains(gid) }
            }
            let before = try #require(try await finding())
            #expect(before.level == .warning)
            try await run(before.remedy, on: source)
            #expect(try await finding() == nil)
        }
    }

    @Test func `a long write transaction is named, and its remedy ends it`() async throws {
        try await withOwnServer { source in
            try await run("CREATE TABLE t (id int PRIMARY KEY)", on: source)
            var options = Preflight.Options()
            options.longTransaction = 0
            try await withConnection(to: source, application: "nightly \"import\"") { writer in
                try writer.execute("BEGIN; INSERT INTO t VALUES (1)")
                let before = try await Preflight.run(source: source, target: nil, options: options)
                let finding = try #require(
                    before["source.transactions"].first { $0.message.contains("process \(writer.processID) ") }
                )
                #expect(finding.level == .warning)
                #expect(finding.detail?.contains("\"nightly \"import\"\"") == true)
                #expect(finding.detail?.contains("idle in transaction") == true)
                try await run(finding.remedy, on: source)
                #expect(throws: PostgresError.self) { try writer.execute("SELECT 1") }
            }
        }
    }

    @Test func `transactions whose age is hidden are said to be`() async throws {
        try await withOwnServer { source in
            try await run("CREATE TABLE t (id int PRIMARY KEY)", on: source)
            try await withRole(on: source) { _, place in
                try await withConnection(to: source) { writer in
                    try writer.execute("BEGIN; INSERT INTO t VALUES (1)")
                    var options = Preflight.Options()
                    options.longTransaction = 0
                    let hidden = try await Preflight.run(source: place, target: nil, options: options)
                    let finding = try #require(hidden["source.transactions_hidden"].first)
                    try await run(finding.remedy, on: source)
                    let seen = try await Preflight.run(source: place, target: nil, options: options)
                    #expect(
                        seen["source.transactions"].contains { $0.message.contains("process \(writer.processID) ") }
                    )
                }
            }
        }
    }
}
