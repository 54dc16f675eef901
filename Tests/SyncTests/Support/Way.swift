import Catalog
import Engine
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Sync

/// A source and a target with a slot between them: what `withFollower` needs.
struct Way: Sendable {
    let places: DatabasePair.Places
    var slot: Identifier
    let start: LSN
    let spool: URL
    var laneCount = 1
    var isBinary = true
    var confirmation = Confirmation.spooled
    var backlog = Backlog.least

    /// Makes the tables on both servers, a publication of all of them, a slot, and the journal; then runs `body`.
    ///
    /// `rows` fill both databases before the slot is made; `targetTables` are given when they differ from the source's;
    /// `source` is another source than the one that tests share.
    static func with<Result>(
        tables: SQL,
        rows: SQL = "",
        targetTables: SQL? = nil,
        source: ConnectionString? = nil,
        _ body: (Way) async throws -> Result
    ) async throws -> Result {
        try await Turns.ofServers.take {
            try await withDatabasePair { pair in
                let places = DatabasePair.Places(source: source ?? pair.source, target: pair.target)
                return try await make(tables, rows, targetTables ?? tables, in: places, body)
            }
        }
    }

    private static func make<Result>(
        _ tables: SQL,
        _ rows: SQL,
        _ targetTables: SQL,
        in places: DatabasePair.Places,
        _ body: (Way) async throws -> Result
    ) async throws -> Result {
        try await execute(places.source, "\(tables); \(rows)")
        try await execute(places.target, "\(targetTables); \(rows)")
        try await withConnection(to: places.target) { target in
            let migration = Journal.Migration(
                id: "test",
                phase: "follow",
                source: "a test",
                sourceSystem: "1",
                sourceDatabase: "test",
                plan: Data("{}".utf8)
            )
            try await Journal.create(migration, on: target)
        }
        let slot = Identifier("way_\(UInt64.random(in: 0 ... .max))")
        let start = try await withConnection(to: places.source) { source in
            try source.execute("CREATE PUBLICATION way FOR ALL TABLES WITH (publish_via_partition_root = true)")
            let made = "SELECT lsn FROM pg_create_logical_replication_slot(\(literal: slot.name), 'pgoutput')" as SQL
            return try source.query(made)[0]("lsn") as LSN
        }
        return try await withTemporaryDirectory { directory in
            try await body(Way(places: places, slot: slot, start: start, spool: URL(filePath: directory + "/spool")))
        }
    }

    func plan() async throws -> FollowPlan {
        let source = try await withNeutralConnection(to: places.source) { try Schema($0) }
        let roots = source.tables.filter { !$0.isPartition }
        var tables: [UInt32: (lane: Int, watermark: LSN)] = [:]
        for (number, table) in roots.enumerated() { tables[table.oid] = (number % laneCount, start) }
        var plan = FollowPlan(
            source: places.source,
            target: places.target,
            slot: slot,
            publication: "way",
            stream: "forward",
            start: start,
            tables: tables,
            referenced: Set(source.foreignKeys.map(\.referenced)),
            laneCount: laneCount,
            isBinary: isBinary,
            confirmation: confirmation,
            encoding: "UTF8",
            spoolDirectory: spool
        )
        plan.backlog = backlog
        return plan
    }

    /// Follows for as long as `body` runs.
    func follow<Result: Sendable>(
        _ body: @escaping @Sendable (Follower, FollowPlan) async throws -> Result
    ) async throws -> Result {
        let plan = try await plan()
        let schema = try await withNeutralConnection(to: places.target) { try Schema($0) }
        return try await withFollower(plan, schema: schema) { try await body($0, plan) }
    }

    /// Waits until everything that is committed on the source is on the target.
    func settle(_ follower: Follower, within limit: Duration = .seconds(30)) async throws {
        let position = try await withConnection(to: places.source) { source in
            try source.query("SELECT pg_current_wal_insert_lsn() AS lsn")[0]("lsn") as LSN
        }
        try await follower.pass(position, on: places.source, within: limit)
    }

    /// Waits until a table stands still, and returns why.
    func standstill(of table: String, _ follower: Follower) async throws -> Standstill {
        try await eventually("table \(table) stands still") {
            follower.progress.standing.contains { $0.name == table }
        }
        return try #require(follower.progress.standing.first { $0.name == table })
    }

    /// Waits until no table stands still.
    func untilAllGo(_ follower: Follower) async throws {
        try await eventually("no table stands still") { follower.progress.standing.isEmpty }
    }

    /// Runs transactions on the source.
    func write(_ transactions: [SQL]) async throws {
        try await withConnection(to: places.source) { source in
            for transaction in transactions { try source.execute(transaction) }
        }
    }

    /// What each table of the source holds there and, when that is not the same, on the target.
    func differences() async throws -> [String] {
        let schema = try await withNeutralConnection(to: places.source) { try Schema($0) }
        return try await withNeutralConnection(to: places.source) { source in
            try await withNeutralConnection(to: places.target) { target in
                try schema.tables.filter { !$0.isPartition }.compactMap { table -> String? in
                    let question = Self.content(of: table)
                    let (here, there) = (try Self.rows(question, source), try Self.rows(question, target))
                    return here == there ? nil : "\(table.name): \(here) became \(there)"
                }
            }
        }
    }

    private static func content(of table: Table) -> SQL {
        let only: SQL = table.kind == .partitioned ? "" : "ONLY "
        let place: SQL = table.kind == .partitioned ? "tableoid::regclass::text" : "''"
        let columns = SQL.joined(table.columns.map { "\($0.identifier)" })
        return """
            SELECT count(*) AS count, md5(string_agg(r, ';' ORDER BY r)) AS digest,
                   left(string_agg(r, ';' ORDER BY r), 2000) AS rows
              FROM (SELECT (\(place) || ROW(\(columns))::text) COLLATE "C" AS r FROM \(only)\(table.name)) AS x
            """
    }

    private static func rows(_ question: SQL, _ connection: Connection) throws -> [String?] {
        let row = try connection.query(question)[0]
        return (0..<row.count).map { row.text($0) }
    }
}
