import Postgres
import TestSupport
import Testing

@testable import Move

@Suite(.databasePair)
struct PreflightRightsTests {
    private static let rights = [
        "source.replication", "source.select", "source.ownership", "source.create", "source.fence",
    ]

    @Test func `pitfall 34: a plain role may not move a database, until each remedy was run as it is printed`()
        async throws
    {
        let pair = DatabasePair.current
        try await withRole(on: pair.source) { owner, _ in
            try await run(
                "CREATE SCHEMA \"we\"\"ird 🐦\"",
                "CREATE TABLE \"we\"\"ird 🐦\".\"it's; \"\"one\"\"\" (id serial PRIMARY KEY)",
                "ALTER SCHEMA \"we\"\"ird 🐦\" OWNER TO \(owner)",
                "ALTER TABLE \"we\"\"ird 🐦\".\"it's; \"\"one\"\"\" OWNER TO \(owner)",
                on: pair.source
            )
            try await withRole(on: pair.source) { _, place in
                let before = try await Preflight.run(source: place, target: nil, options: .init())
                #expect(Set(before.blockers.map(\.check)) == Set(Self.rights))
                for check in ["source.replication", "source.select", "source.create", "source.fence"] {
                    try await run(try #require(before[check].first).remedy, on: pair.source)
                }
                // Reading is now granted as such, not by being the owner.
                let between = try await Preflight.run(source: place, target: nil, options: .init())
                #expect(between.blockers.map(\.check) == ["source.ownership"])
                try await run(try #require(between["source.ownership"].first).remedy, on: pair.source)
                let after = try await Preflight.run(source: place, target: nil, options: .init())
                #expect(after.blockers == [])
            }
        }
    }

    @Test func `pitfall 34: only what is selected must be readable`() async throws {
        let source = DatabasePair.current.source
        try await run("CREATE TABLE wanted (id int)", "CREATE TABLE secret (id int)", on: source)
        try await withRole(on: source) { role, place in
            try await run("GRANT SELECT ON wanted TO \(role)", on: source)
            var options = Preflight.Options()
            options.isOnce = true
            let all = try await Preflight.run(source: place, target: nil, options: options)
            #expect(all["source.select"].map(\.level) == [.blocker])
            options.tables = try TableFilter(including: [], excluding: ["secret"])
            let some = try await Preflight.run(source: place, target: nil, options: options)
            #expect(some["source.select"].map(\.level) == [.pass])
        }
    }

    @Test func `large objects of others cannot be read, until the remedy was run`() async throws {
        let source = DatabasePair.current.source
        try await withRole(on: source) { owner, _ in
            try await run(
                "SELECT lo_from_bytea(70001, 'a'), lo_from_bytea(70002, 'b'), lo_from_bytea(70003, 'c')",
                "ALTER LARGE OBJECT 70001 OWNER TO \(owner)",
                "ALTER LARGE OBJECT 70002 OWNER TO \(owner)",
                "GRANT SELECT ON LARGE OBJECT 70002, 70003 TO PUBLIC",
                on: source
            )
            try await withRole(on: source) { role, place in
                let before = try await Preflight.run(source: place, target: nil, options: .init())
                let finding = try #require(before["source.large_object_rights"].first)
                #expect(finding.level == .blocker)
                #expect(finding.message == "role \"\(role.name)\" cannot read 1 large object")
                try await run(finding.remedy, on: source)
                let after = try await Preflight.run(source: place, target: nil, options: .init())
                #expect(after["source.large_object_rights"] == [])
                let pages = try #require(after["source.large_objects"].first)
                #expect(pages.remedy.count == 1 && pages.detail?.contains("may not read pg_largeobject") == true)
                try await run(pages.remedy, on: source)
                let granted = try await Preflight.run(source: place, target: nil, options: .init())
                #expect(granted["source.large_objects"].first?.remedy == [])
                try await run("REVOKE \(owner) FROM \(role)", on: source)
            }
        }
    }

    @Test func `pitfall 37: row security hides rows from a role, until it may bypass it`() async throws {
        let source = DatabasePair.current.source
        try await run(
            "CREATE TABLE orders (id int PRIMARY KEY)",
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
            "GRANT SELECT ON orders TO PUBLIC",
            on: source
        )
        try await withRole(on: source) { _, place in
            let before = try await Preflight.run(source: place, target: nil, options: .init())
            let finding = try #require(before["source.row_security"].first)
            #expect(finding.level == .blocker)
            try await run(finding.remedy, on: source)
            let after = try await Preflight.run(source: place, target: nil, options: .init())
            #expect(after["source.row_security"].map(\.level) == [.pass])
        }
    }

    @Test func `pitfall 37: an owner sees his rows, unless row security is forced on him`() async throws {
        let pair = DatabasePair.current
        try await withRole(on: pair.source) { role, place in
            try await run(
                "CREATE TABLE orders (id int PRIMARY KEY)",
                "ALTER TABLE orders OWNER TO \(role)",
                "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
                on: pair.source
            )
            let owned = try await Preflight.run(source: place, target: nil, options: .init())
            #expect(owned["source.row_security"].map(\.level) == [.pass])
            try await run("ALTER TABLE orders FORCE ROW LEVEL SECURITY", on: pair.source)
            let forced = try await Preflight.run(source: place, target: nil, options: .init())
            #expect(forced["source.row_security"].map(\.level) == [.blocker])
            try await withRole(on: pair.target) { _, target in
                let both = try await Preflight.run(source: pair.source, target: target, options: .init())
                #expect(both["target.row_security"].map(\.level) == [.blocker])
            }
        }
    }

    @Test func `pitfall 34: a plain role may not write a target, until the remedy was run as it is printed`()
        async throws
    {
        let pair = DatabasePair.current
        try await withRole(on: pair.target) { _, place in
            let before = try await Preflight.run(source: pair.source, target: place, options: .init())
            let finding = try #require(before["target.create"].first)
            #expect(finding.level == .blocker)
            try await run(finding.remedy, on: pair.target)
            let after = try await Preflight.run(source: pair.source, target: place, options: .init())
            #expect(after["target.create"].map(\.level) == [.pass])
        }
    }

    @Test func `a role that cannot be a replica is told what is set aside, and what spares it that`() async throws {
        let pair = DatabasePair.current
        try await withRole(on: pair.target, attributes: "REPLICATION") { role, place in
            let empty = try await Preflight.run(source: pair.source, target: place, options: .init())
            #expect(empty["target.replica_role"].map(\.level) == [.pass])
            try await run(
                "CREATE TABLE a (id int PRIMARY KEY)",
                "CREATE TABLE b (id int REFERENCES a)",
                "CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                on: pair.source
            )
            let before = try await Preflight.run(source: pair.source, target: place, options: .init())
            let finding = try #require(before["target.replica_role"].first)
            #expect(finding.level == .warning)
            #expect(
                finding.message == """
                    1 trigger and 1 foreign key will be set aside on the target while martlet writes there, \
                    because role "\(role.name)" cannot set session_replication_role
                    """
            )
            #expect(before["source.replica_role"].map(\.level) == [.pass])
            try await run(finding.remedy, on: pair.target)
            let after = try await Preflight.run(source: pair.source, target: place, options: .init())
            #expect(after["target.replica_role"].map(\.level) == [.pass])
        }
    }

    @Test func `a role that may not replicate on the target has no way back, until the remedy was run`() async throws {
        let pair = DatabasePair.current
        try await withRole(on: pair.target) { _, place in
            let before = try await Preflight.run(source: pair.source, target: place, options: .init())
            let finding = try #require(before["target.replication"].first)
            #expect(finding.level == .warning)
            #expect(finding.message.hasSuffix("may not replicate, so a cutover is possible only without a way back"))
            var options = Preflight.Options()
            options.wantsRollback = false
            let without = try await Preflight.run(source: pair.source, target: place, options: options)
            #expect(without["target.replication"] == [])
            try await run(finding.remedy, on: pair.target)
            let after = try await Preflight.run(source: pair.source, target: place, options: .init())
            #expect(after["target.replication"].map(\.level) == [.pass])
        }
    }

    @Test func `a role that owns something must exist on the target and be ours to give to`() async throws {
        let pair = DatabasePair.current
        try await withRole(on: pair.source) { owner, _ in
            try await run(
                "CREATE TABLE orders (id int PRIMARY KEY)",
                "ALTER TABLE orders OWNER TO \(owner)",
                on: pair.source
            )
            try await withRole(on: pair.target, attributes: "NOSUPERUSER") { _, place in
                let before = try await Preflight.run(source: pair.source, target: place, options: .init())
                // On one server for both the role is there already.
                if let finding = before["target.roles"].first, finding.level == .blocker {
                    var options = Preflight.Options()
                    options.keepsOwners = false
                    let without = try await Preflight.run(source: pair.source, target: place, options: options)
                    #expect(without["target.roles"].map(\.level) == [.pass])
                    try await run(finding.remedy, on: pair.target)
                }
                let between = try await Preflight.run(source: pair.source, target: place, options: .init())
                #expect(between["target.roles"].map(\.level) == [.pass])
                let finding = try #require(between["target.owner_rights"].first)
                #expect(finding.level == .blocker)
                // The test's own role owns public's tables on the source too; only the plain one is given.
                try await run(finding.remedy.filter { $0.contains(owner.quoted) }, on: pair.target)
                let after = try await Preflight.run(source: pair.source, target: place, options: .init())
                #expect(!after["target.owner_rights"].contains { $0.message.contains(owner.name) })
                try await run("REVOKE \(owner) FROM \(Identifier(place["user"] ?? ""))", on: pair.target)
            }
            if pair.source["port"] != pair.target["port"] || pair.source["host"] != pair.target["host"] {
                try await run("DROP ROLE \(owner)", on: pair.target)
            }
        }
    }

    @Test func `a role that holds privileges must exist on the target, unless they are left behind`() async throws {
        let pair = DatabasePair.current
        guard pair.source["port"] != pair.target["port"] else { return }
        try await withRole(on: pair.source) { reader, _ in
            try await run("CREATE TABLE t (id int PRIMARY KEY)", "GRANT SELECT ON t TO \(reader)", on: pair.source)
            let before = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
            let finding = try #require(before["target.roles"].first)
            #expect(finding.level == .blocker)
            #expect(finding.remedy == ["CREATE ROLE \(reader.quoted);"])
            var options = Preflight.Options()
            options.keepsPrivileges = false
            let without = try await Preflight.run(source: pair.source, target: pair.target, options: options)
            #expect(without["target.roles"].map(\.level) == [.pass])
        }
    }
}
