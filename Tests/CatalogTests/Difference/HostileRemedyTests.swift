import Catalog
import Postgres
import TestSupport
import Testing

/// What is printed for an operator to run mends what it is about, and nothing else, whatever the names are.
@Suite(.databasePair)
struct HostileRemedyTests {
    /// Changes of the target that the remedies take back.
    private static let changes = [
        "DROP INDEX %1$I.%11$I", "ALTER TABLE %1$I.%8$I DROP CONSTRAINT %9$I",
        "ALTER TABLE %1$I.%5$I DROP CONSTRAINT %7$I", "ALTER TABLE %1$I.%5$I DISABLE TRIGGER %16$I",
        "ALTER TABLE %1$I.%10$I DISABLE RULE %16$I", "DROP TRIGGER %16$I ON %1$I.%8$I", "DROP VIEW %1$I.%18$I",
        "COMMENT ON TABLE %1$I.%5$I IS 'other'", "COMMENT ON CONSTRAINT %9$I ON %1$I.%8$I IS NULL",
        "COMMENT ON COLUMN %1$I.%5$I.%6$I IS NULL", "COMMENT ON SCHEMA %1$I IS NULL",
        "ALTER TABLE %1$I.%5$I ALTER COLUMN v SET NOT NULL", "ALTER TABLE %1$I.%8$I ALTER COLUMN parent DROP DEFAULT",
        "ALTER TABLE %1$I.%5$I ALTER COLUMN %6$I SET STATISTICS 7",
        "ALTER TABLE %1$I.%10$I OWNER TO pg_monitor", "GRANT SELECT ON %1$I.%5$I TO pg_monitor",
        "GRANT SELECT (%6$I) ON %1$I.%5$I TO pg_monitor", "GRANT USAGE ON SCHEMA %1$I TO pg_monitor",
        "ALTER TABLE %1$I.%8$I ENABLE ROW LEVEL SECURITY", "ALTER TABLE %1$I.%8$I REPLICA IDENTITY FULL",
        "DROP STATISTICS %1$I.%16$I",
    ]

    @Test func `commands of verify --schema mend hostile names`() async throws {
        let pair = DatabasePair.current
        var random = SeededGenerator()
        let seed = random.next()
        var (one, other) = (SeededGenerator(seed: seed), SeededGenerator(seed: seed))
        let database = try await HostileDatabase.make(in: pair.source, &one)
        _ = try await HostileDatabase.make(in: pair.target, &other)
        for change in Self.changes {
            try await withConnection(to: pair.target) { try HostileTexts.execute(change, database.names, on: $0) }
            var found = try await SchemaComparisonTests.compare(pair.source, pair.target)
            #expect(found != [], "\(change)")
            // A comment is missing only when what it is about is there again.
            for _ in 1...2 where !found.isEmpty {
                for statement in found.flatMap(\.remedy) {
                    do { try await execute(pair.target, SQL(trusting: statement)) } catch {
                        Issue.record("\(change)\n\(statement)\n\(error)")
                    }
                }
                found = try await SchemaComparisonTests.compare(pair.source, pair.target)
            }
            #expect(found.map(SchemaComparisonTests.text) == [], "\(change)")
            #expect(try await HostileTexts.isCanaryAlive(in: pair.target), "\(change)")
        }
    }

    @Test func `roles that Swift takes for one are two`() async throws {
        let pair = DatabasePair.current
        let number = UInt32.random(in: 0 ... .max)
        let roles = ["\u{e9}", "e\u{301}"].map { Identifier("\($0) \(number)") }
        for (place, role) in zip([pair.source, pair.target], roles) {
            try await execute(
                place,
                "CREATE ROLE \(role); CREATE TABLE t (a int); GRANT SELECT ON t TO \(role)"
            )
        }
        let found = try await SchemaComparisonTests.compare(pair.source, pair.target)
        for (place, role) in zip([pair.source, pair.target], roles) {
            try await execute(place, "DROP OWNED BY \(role); DROP ROLE \(role)")
        }
        #expect(
            Set(found.compactMap(\.property).map { Array($0.utf8) })
                == Set(roles.map { Array("privileges of \($0.quoted)".utf8) })
        )
    }

    @Test func `commands for tables that have become different mend hostile names`() async throws {
        let pair = DatabasePair.current
        var random = SeededGenerator()
        let seed = random.next()
        var (one, other) = (SeededGenerator(seed: seed), SeededGenerator(seed: seed))
        let database = try await HostileDatabase.make(in: pair.source, &one)
        _ = try await HostileDatabase.make(in: pair.target, &other)
        let changes = [
            "DROP VIEW %1$I.%18$I", "ALTER TABLE %1$I.%5$I ADD COLUMN %9$I text DEFAULT %20$L",
            "ALTER TABLE %1$I.%5$I ADD COLUMN %10$I %1$I.%2$I DEFAULT %3$L",
            "ALTER TABLE %1$I.%8$I RENAME COLUMN parent TO %11$I",
            "ALTER TABLE %1$I.%10$I ALTER COLUMN v TYPE varchar COLLATE \"C\"",
            "ALTER TABLE %1$I.%5$I ALTER COLUMN v SET NOT NULL",
            "ALTER TYPE %1$I.%2$I ADD VALUE %12$L BEFORE %4$L", "ALTER TABLE %1$I.%12$I DETACH PARTITION %1$I.%13$I",
            "ALTER TABLE %1$I.%5$I DROP COLUMN n",
        ]
        try await withConnection(to: pair.source) { connection in
            for change in changes { try HostileTexts.execute(change, database.names, on: connection) }
            try HostileTexts.execute(
                "CREATE TABLE %1$I.%15$I PARTITION OF %1$I.%12$I FOR VALUES IN ('new')",
                database.names,
                on: connection
            )
        }
        let find = {
            try await withNeutralConnection(to: pair.source, encoding: "UTF8") { source in
                try await withNeutralConnection(to: pair.target, encoding: "UTF8") {
                    try Drift.find(from: source, to: $0)
                }
            }
        }
        let found = try await find()
        #expect(found.count >= changes.count - 1, "\(found.map(\.text))")
        for drift in found { try await execute(pair.target, drift.remedy) }
        #expect(try await find().map(\.text) == [])
        for place in [pair.source, pair.target] { #expect(try await HostileTexts.isCanaryAlive(in: place)) }
    }
}
