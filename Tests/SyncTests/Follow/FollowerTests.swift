import Catalog
import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Sync

struct FollowerTests {
    @Test(arguments: Scenario.all, Scenario.Variant.allCases)
    func `the target becomes what the source is`(scenario: Scenario, variant: Scenario.Variant) async throws {
        try await Way.with(tables: scenario.tables, rows: scenario.rows, targetTables: scenario.targetTables) { way in
            var way = way
            way.isBinary = variant.isBinary
            way.laneCount = 2
            if variant.isBacklog {
                way.backlog = 1
                try await way.write(scenario.changes)
            }
            try await way.follow { [way] follower, _ in
                if variant.isBacklog {
                    try await eventually("the backlog is read") { follower.state.stages.report.receive.queries > 0 }
                } else if variant.isGrouped {
                    try await way.write(scenario.changes)
                } else {
                    follower.release()
                    for change in scenario.changes {
                        try await way.write([change])
                        try await way.settle(follower)
                    }
                }
                follower.release()
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test func `rows that swap a unique value are replayed, and nothing else is`() async throws {
        let scenario = try #require(Scenario.keys.first { $0.title.contains("swap a unique") })
        try await Way.with(tables: scenario.tables, rows: scenario.rows) { way in
            let counters = try await way.follow { follower, _ in
                try await way.write(scenario.changes)
                follower.release()
                try await way.settle(follower)
                return follower.progress.counters
            }
            #expect(counters.replays == 1)
            #expect(counters.changes == 7)
        }
    }

    @Test func `pitfall 29: a row that is missing on the target is named, and its table stands still`() async throws {
        try await Way.with(
            tables: "\(Self.table); CREATE TABLE o (id int PRIMARY KEY)",
            rows: "INSERT INTO t VALUES (1, 1), (2, 2)"
        ) {
            way in
            try await execute(way.places.target, "DELETE FROM t WHERE id = 2")
            try await way.follow { follower, _ in
                try await way.write([
                    "INSERT INTO o VALUES (1); UPDATE t SET n = 5 WHERE id = 1; UPDATE t SET n = 6 WHERE id = 2"
                ])
                follower.release()
                let error = try await way.standstill(of: "t", follower)
                #expect(error.message.hasPrefix("could not apply an UPDATE of table \"public.t\" at 0/"))
                #expect(error.detail?.hasPrefix("Row (id=2).") == true)
                #expect(error.hint?.contains("martlet verify --repair") == true)
                try await way.settle(follower)
                // The change before it was in the same transaction, and is not there either; another table's is.
                #expect(try await ask(way.places.target, "SELECT n FROM t") == "1")
                #expect(try await ask(way.places.target, "SELECT count(*) FROM o") == "1")
                try await execute(way.places.target, "INSERT INTO t VALUES (2, 2)")
                try await way.untilAllGo(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test func `changes before the watermark of a table are in its copy already`() async throws {
        try await Way.with(tables: "\(Self.table); CREATE TABLE o (id int PRIMARY KEY)") { way in
            try await way.write(["INSERT INTO t VALUES (1, 1); INSERT INTO o VALUES (1)"])
            let lsn = try #require(try await ask(way.places.source, "SELECT pg_current_wal_insert_lsn()"))
            try await way.write(["INSERT INTO t VALUES (2, 2)"])
            var plan = try await way.plan()
            let oid = try #require(try await ask(way.places.source, "SELECT 't'::regclass::oid").flatMap { UInt32($0) })
            plan.tables[oid]?.watermark = try #require(LSN(lsn))
            let schema = try await way.targetSchema()
            try await withFollower(plan, schema: schema) { follower in
                follower.release()
                try await way.settle(follower)
            }
            #expect(try await ask(way.places.target, "SELECT string_agg(id::text, ',') FROM t") == "2")
            #expect(try await ask(way.places.target, "SELECT count(*) FROM o") == "1")
        }
    }

    @Test func `lanes stand still until they are released, and stop at a limit`() async throws {
        try await Way.with(tables: Self.table) { way in
            try await way.follow { follower, plan in
                try await way.write(["INSERT INTO t VALUES (1, 1)"])
                let lsn = try #require(try await ask(way.places.source, "SELECT pg_current_wal_insert_lsn()"))
                let limit = try #require(LSN(lsn))
                try await way.write(["INSERT INTO t VALUES (2, 2)"])
                let isApplied = try follower.waitApplied(limit, within: .milliseconds(300))
                #expect(!isApplied)
                #expect(try await ask(way.places.target, "SELECT count(*) FROM t") == "0")
                follower.release(upTo: limit)
                try await follower.pass(limit, on: plan.source, within: .seconds(60))
                #expect(try await ask(way.places.target, "SELECT count(*) FROM t") == "1")
                follower.release()
                try await way.settle(follower)
                #expect(try await ask(way.places.target, "SELECT count(*) FROM t") == "2")
            }
        }
    }

    @Test(arguments: Sync.Confirmation.allCases)
    func `a stop while other databases write can be gone on from`(confirmation: Sync.Confirmation) async throws {
        try await Way.with(tables: Self.table) { way in
            var way = way
            way.confirmation = confirmation
            for round in 1...3 {
                try await way.follow { [way] follower, _ in
                    follower.release()
                    try await way.write(["INSERT INTO t VALUES (\(round), 0)"])
                    try await way.settle(follower)
                    // Nothing of ours: the server tells its position by keepalives only.
                    try await way.write([
                        "CREATE UNLOGGED TABLE \(Identifier("x\(round)")) AS SELECT generate_series(1, 1000); CHECKPOINT"
                            as SQL
                    ])
                    let lsn = try #require(try await ask(way.places.source, "SELECT pg_current_wal_insert_lsn()"))
                    let end = try #require(LSN(lsn))
                    guard confirmation == .spooled else { return }
                    try await eventually("the source may forget \(end)") { follower.progress.confirmed >= end }
                }
            }
            #expect(try await ask(way.places.target, "SELECT count(*) FROM t") == "3")
        }
    }

    @Test func `pitfall 26: a slot that has moved past the target is refused`() async throws {
        try await Way.with(tables: Self.table) { way in
            try await way.write(["INSERT INTO t VALUES (1, 1)"])
            try await execute(
                way.places.source,
                "SELECT pg_replication_slot_advance(\(literal: way.slot.name), pg_current_wal_insert_lsn())"
            )
            let error = await #expect(throws: PostgresError.self) { try await way.follow { _, _ in } }
            #expect(error?.message == "the source no longer has all changes that the target needs")
        }
    }

    @Test func `pitfall 26: a source that was restored to before what the target has is refused`() async throws {
        try await Way.with(tables: Self.table) { way in
            try await way.follow { _, _ in }
            try await execute(way.places.target, "UPDATE martlet.position SET lsn = 'FFFF/0'")
            let error = await #expect(throws: PostgresError.self) { try await way.follow { _, _ in } }
            #expect(error?.message == "the source has lost changes that the target has")
            #expect(error?.detail?.contains("a standby took over that lacked the last changes") == true)
        }
    }

    @Test func `pitfall 26: a target that was restored to before what the spool still holds is refused`() async throws {
        try await Way.with(tables: Self.table) { way in
            try await way.write(["INSERT INTO t VALUES (1, 1)"])
            try await way.follow { follower, _ in
                follower.release()
                try await way.settle(follower)
            }
            try Data("FFFF/0".utf8).write(to: way.spool.appending(path: "applied"))
            let error = await #expect(throws: PostgresError.self) { try await way.follow { _, _ in } }
            #expect(error?.message == "the source no longer has all changes that the target needs")
            #expect(error?.hint?.contains("restored to an older state") == true)
        }
    }

    static let table: SQL = "CREATE TABLE t (id int PRIMARY KEY, n int)"
}

extension Way {
    func targetSchema() async throws -> Schema {
        try await withNeutralConnection(to: places.target) { try Schema($0) }
    }
}
