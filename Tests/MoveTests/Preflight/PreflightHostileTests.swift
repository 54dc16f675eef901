import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Move

/// The commands that a preflight prints do what they say, whatever names they have to write.
struct PreflightHostileTests {
    /// What makes findings with names in their commands; `%22$I` is a role.
    private static let definitions = [
        "CREATE ROLE %22$I LOGIN", "ALTER TABLE %1$I.%8$I OWNER TO %22$I",
        "ALTER TABLE %1$I.%10$I REPLICA IDENTITY NOTHING",
        "CREATE UNLOGGED TABLE %1$I.%3$I (%6$I serial PRIMARY KEY)", "CREATE TABLE %1$I.%7$I (%6$I serial PRIMARY KEY)",
        "SELECT setval(pg_get_serial_sequence(format('%%I.%%I', %1$L, %7$L), %6$L), 2147483600)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = (SELECT oid FROM pg_class WHERE relname = %11$L)",
        "CREATE FUNCTION %1$I.%9$I() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE EVENT TRIGGER %16$I ON ddl_command_end EXECUTE FUNCTION %1$I.%9$I()",
        "ALTER EVENT TRIGGER %16$I ENABLE ALWAYS",
        "CREATE SUBSCRIPTION %13$I CONNECTION 'host=/nowhere' PUBLICATION %14$I WITH (connect = false)",
        "ALTER SUBSCRIPTION %13$I SET (slot_name = martlet_none)", "ALTER SUBSCRIPTION %13$I ENABLE",
        "ALTER DATABASE %23$I SET martlet.test = %20$L",
        "ALTER ROLE %22$I IN DATABASE %23$I SET search_path = %1$I, %2$I",
        "ALTER ROLE %22$I IN DATABASE %23$I SET martlet.test = %19$L",
    ]

    @Test(.timeLimit(.minutes(5)))
    func `commands are run as they are printed`() async throws {
        var random = SeededGenerator()
        let pool = HostileTexts.names.shuffled(using: &random).filter { !["postgres", "public"].contains($0) }
        let (old, new, role) = (pool[0], pool[1], pool[2])
        try await withServer { source in
            try await withServer { target in
                for (server, name) in [(source, old), (target, new)] {
                    try await withConnection(to: server.socketConnection()) {
                        try HostileTexts.execute("CREATE DATABASE %1$I", [name], on: $0)
                    }
                }
                let places = (source: source.socketConnection(to: old), target: target.socketConnection(to: new))
                let database = try await HostileDatabase.make(in: places.source, &random)
                try await execute(places.target, HostileTexts.canary)
                let texts = database.names + ["", role, old]
                try await withConnection(to: places.source) { connection in
                    for definition in Self.definitions { try HostileTexts.execute(definition, texts, on: connection) }
                }
                try await withConnection(to: places.target) {
                    try HostileTexts.execute("CREATE ROLE %1$I LOGIN", ["x"], on: $0)
                }
                var seen: Set<String> = []
                // Who may do nothing, and who may do everything; each with commands of his own.
                for isStranger in [true, false] {
                    let from = isStranger ? places.source.with("user", role) : places.source
                    let to = isStranger ? places.target.with("user", "x") : places.target
                    let findings = try await Preflight.run(source: from, target: to, options: .init())
                    // A second database of the name cannot be made.
                    for finding in findings.findings where !finding.remedy.isEmpty && finding.check != "target.empty" {
                        seen.insert(finding.check)
                        try await run(finding, on: finding.side == .target ? places.target : places.source)
                    }
                }
                let expected: Set = [
                    "source.event_triggers", "source.invalid_indexes", "source.ownership", "source.select",
                    "source.sequences",
                    "source.subscriptions", "source.unlogged", "target.owner_rights", "target.roles", "target.settings",
                ]
                #expect(expected.subtracting(seen) == [])
                for place in [places.source, places.target] { #expect(try await HostileTexts.isCanaryAlive(in: place)) }
            }
        }
    }

    private func run(_ finding: Finding, on place: ConnectionString) async throws {
        let isSQL = { (text: String) in
            !["--", "pg_ctl", "systemctl", "martlet", "ALTER SYSTEM", "apt"].contains { text.hasPrefix($0) }
        }
        for remedy in finding.remedy where isSQL(remedy) {
            do { try await execute(place, SQL(trusting: remedy)) } catch let error as PostgresError {
                Issue.record("\(finding.check): \(remedy)\n\(error)")
            }
            #expect(try await HostileTexts.isCanaryAlive(in: place), "\(finding.check): \(remedy)")
        }
    }
}
