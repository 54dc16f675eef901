import Postgres
import TestSupport
import Testing

@testable import Move

/// What follows from a choice of tables.
@Suite(.databasePair)
struct PreflightSelectionTests {
    private func findings(
        include: [String] = [],
        exclude: [String] = [],
        isOnce: Bool = false
    ) async throws -> Findings {
        var options = Preflight.Options()
        options.tables = try TableFilter(including: include, excluding: exclude)
        options.isOnce = isOnce
        return try await Preflight.run(source: DatabasePair.current.source, target: nil, options: options)
    }

    @Test func `a pattern that matches no table blocks as an include, and is a warning as an exclude`() async throws {
        try await run(
            "CREATE TABLE orders (id int PRIMARY KEY)",
            "CREATE TABLE sale (id int PRIMARY KEY) PARTITION BY RANGE (id)",
            "CREATE TABLE low PARTITION OF sale DEFAULT",
            on: DatabasePair.current.source
        )
        let included = try await findings(include: ["orders", "Orders"])
        #expect(included["source.include"].map(\.level) == [.blocker])
        #expect(included["source.include"].first?.message == "1 --include pattern matches no table: \"Orders\"")
        let excluded = try await findings(exclude: ["orders", "low"])
        #expect(excluded["source.exclude"].map(\.level) == [.warning])
        #expect(excluded["source.exclude"].first?.detail?.contains("A partition goes with the table") == true)
        let right = try await findings(include: ["o*"], exclude: ["public.sale"])
        #expect(right["source.include"] == [])
        #expect(right["source.exclude"] == [])
    }

    @Test func `what needs a table that is left out is listed`() async throws {
        try await run(
            "CREATE TABLE line (id int PRIMARY KEY)",
            "CREATE TABLE refund (id int PRIMARY KEY, line int REFERENCES line)",
            "CREATE VIEW a AS SELECT id FROM line",
            "CREATE VIEW b AS SELECT * FROM a",
            "CREATE MATERIALIZED VIEW m AS SELECT * FROM b",
            "CREATE MATERIALIZED VIEW n AS SELECT * FROM refund",
            "CREATE RULE r AS ON INSERT TO refund DO ALSO DELETE FROM line",
            on: DatabasePair.current.source
        )
        let found = try await findings(exclude: ["line"])
        #expect(found.blockers == [])
        #expect(
            found["source.left_out"].map(\.message) == [
                "1 materialized view, 1 rule and 2 views need tables that are left out, and are left out too: "
                    + "\"public.m\", \"r on public.refund\", \"public.a\", \"public.b\""
            ]
        )
        #expect(
            found["source.left_out_keys"].map(\.message) == [
                "1 foreign key refers to tables that are left out, and is left out too: "
                    + "\"refund_line_fkey on public.refund\""
            ]
        )
        #expect(found["source.materialized_views"].map(\.detail) == ["On \"public.n\"."])
        #expect(found["source.rules"] == [])
        #expect(try await findings()["source.left_out"] == [])
    }

    @Test func `a table that needs one that is left out blocks`() async throws {
        try await run(
            "CREATE TABLE parent (id int)",
            "CREATE TABLE child () INHERITS (parent)",
            "CREATE TABLE holder (id int PRIMARY KEY, p parent)",
            "CREATE FUNCTION most() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM parent; END",
            "CREATE TABLE counted (id bigint DEFAULT most())",
            "CREATE TABLE free (id int)",
            on: DatabasePair.current.source
        )
        let found = try await findings(exclude: ["parent"])
        #expect(found["source.needy_tables"].map(\.level) == [.blocker])
        #expect(
            found["source.needy_tables"].first?.detail?.hasPrefix(
                "They are \"public.child\", \"public.counted\", \"public.holder\"."
            ) == true
        )
        #expect(try await findings(exclude: ["parent", "child", "holder", "counted"])["source.needy_tables"] == [])
    }

    @Test func `settings of the database are a warning, until they were made on the target`() async throws {
        let pair = DatabasePair.current
        let database = Identifier(pair.source["dbname"] ?? "")
        let role = Identifier(pair.source["user"] ?? "")
        try await run(
            "ALTER DATABASE \(database) SET search_path TO \"$user\", \"We\"\"ird, 🐦\", public",
            "ALTER DATABASE \(database) SET \"shop.name\" TO 'it''s'",
            "ALTER ROLE \(role) IN DATABASE \(database) SET work_mem TO '9MB'",
            on: pair.source
        )
        let before = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        let finding = try #require(before["target.settings"].first)
        #expect(finding.level == .warning)
        #expect(finding.remedy.count == 3)
        try await run(finding.remedy, on: pair.target)
        let after = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        #expect(after["target.settings"] == [])
    }

    @Test func `large objects change nothing at the cutover of a copy that has none`() async throws {
        try await run("SELECT lo_from_bytea(0, 'x')", on: DatabasePair.current.source)
        let finding = try #require(try await findings(isOnce: true)["source.large_objects"].first)
        #expect(finding.level == .pass)
        #expect(!finding.message.contains("cutover") && finding.detail == nil)
    }
}
