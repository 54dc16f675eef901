import Catalog
import Engine
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Sync

struct LoaderTests {
    /// Every scenario's tables, filled as their scenario has them before its changes.
    @Test(arguments: Scenario.all.filter { $0.targetTables == nil })
    func `a load brings rows, indexes and constraints`(scenario: Scenario) async throws {
        try await withDatabasePair { places in
            try await execute(places.source, "\(scenario.tables)")
            try await withConnection(to: places.source) { source in
                for part in [scenario.rows] + scenario.changes { try source.execute(part) }
            }
            try await Self.check(places, isSplit: true)
        }
    }

    @Test(arguments: [true, false]) func `all kinds of indexes and constraints are made`(isSplit: Bool) async throws {
        try await withDatabasePair { places in
            try await execute(places.source, Self.tables)
            try await Self.check(places, isSplit: isSplit)
        }
    }

    @Test func `a load that fails ends, and the next one goes on`() async throws {
        try await withDatabasePair { places in
            try await execute(places.source, Self.tables)
            try await Self.prepareTarget(places)
            try await execute(places.target, "ALTER TABLE plain ADD CHECK (id <> 7)")
            await #expect(throws: PostgresError.self) { try await Self.load(places, isSplit: false) }
            try await execute(places.target, "ALTER TABLE plain DROP CONSTRAINT plain_id_check")
            try await Self.load(places, isSplit: false)
            #expect(try await Self.picture(places.target) == Self.picture(places.source))
        }
    }

    @Test func `a table that is copied is held no longer`() async throws {
        try await withDatabasePair { places in
            try await execute(places.source, Self.tables)
            try await Self.prepareTarget(places)
            try await withConnection(to: places.source) { owner in
                try owner.execute("BEGIN; LOCK TABLE empty IN ACCESS EXCLUSIVE MODE")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await Self.load(places, isSplit: false) }
                    try await eventually("the load waits for the last table") {
                        let waits: SQL =
                            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'empty'::regclass"
                        return try await ask(places.source, waits) != "0"
                    }
                    // With the load waiting for this session, and this session for the load, one of them would be ended.
                    try owner.execute("TRUNCATE large, plain; COMMIT")
                    try await group.waitForAll()
                }
            }
        }
    }

    static let tables: SQL = """
        CREATE TABLE empty (); CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
        CREATE TABLE computed (a int GENERATED ALWAYS AS (5) STORED); INSERT INTO computed DEFAULT VALUES;
        CREATE TABLE plain (id int PRIMARY KEY, a text, b int4range, c int NOT NULL);
        INSERT INTO plain SELECT i, 'a' || i, int4range(i, i + 1), i FROM generate_series(1, 2000) i;
        CREATE INDEX ON plain (lower(a)); CREATE UNIQUE INDEX chosen ON plain (c) INCLUDE (a);
        CREATE INDEX part ON plain USING hash (a) WHERE id > 5; ALTER TABLE plain CLUSTER ON plain_pkey;
        ALTER TABLE plain REPLICA IDENTITY USING INDEX chosen; ALTER TABLE plain ADD UNIQUE (a, c) DEFERRABLE INITIALLY DEFERRED;
        ALTER TABLE plain ADD EXCLUDE USING gist (b WITH &&); ALTER INDEX plain_lower_idx ALTER COLUMN 1 SET STATISTICS 77;
        CREATE TABLE p (id int, d int, PRIMARY KEY (id, d), UNIQUE (d, id) DEFERRABLE) PARTITION BY RANGE (d);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p DEFAULT PARTITION BY LIST (d);
        CREATE TABLE p2a PARTITION OF p2 DEFAULT; CREATE INDEX ON p (d); CREATE INDEX alone ON p1 (id);
        INSERT INTO p SELECT i, i FROM generate_series(1, 50) i;
        CREATE TABLE large (id int PRIMARY KEY, pad text);
        INSERT INTO large SELECT i, repeat('x', 400) FROM generate_series(1, 5000) i
        """

    private static func check(_ places: DatabasePair.Places, isSplit: Bool) async throws {
        try await prepareTarget(places)
        try await load(places, isSplit: isSplit)
        #expect(try await picture(places.target) == picture(places.source))
        #expect(try await ask(places.target, "SELECT count(*) FROM martlet.table_load WHERE state <> 'ready'") == "0")
        // Once more does no harm.
        try await load(places, isSplit: isSplit)
        #expect(try await picture(places.target) == picture(places.source))
    }

    /// Makes the tables on the target as a move does.
    private static func prepareTarget(_ places: DatabasePair.Places) async throws {
        let major = try await withConnection(to: places.source) { $0.majorVersion }
        let programs = try await Installation.client(atLeast: major)
        try await withTemporaryDirectory { directory in
            let archive = try await SchemaArchive.dump(
                places.source,
                snapshot: nil,
                excluding: [],
                options: SchemaArchive.Options(),
                with: programs,
                to: URL(filePath: directory + "/schema")
            )
            let script = try await archive.pieces(.preData) { !$0.description.hasPrefix("SCHEMA - public") }[0].script()
            try await execute(places.target, script)
        }
        let schema = try await withNeutralConnection(to: places.source) { try Schema($0) }
        try await withConnection(to: places.target) { target in
            let migration = Journal.Migration(
                id: "test",
                phase: "load",
                source: "a test",
                sourceSystem: "1",
                sourceDatabase: "test",
                plan: Data("{}".utf8)
            )
            try await Journal.create(migration, on: target)
            let loads = schema.tables.map {
                Journal.TableLoad(table: $0.name, sourceOID: $0.oid, unit: $0.oid, lane: 0, bytes: $0.bytes)
            }
            try Journal.plan(loads, on: target)
        }
    }

    private static func load(_ places: DatabasePair.Places, isSplit: Bool) async throws {
        let schema = try await withNeutralConnection(to: places.source) { try Schema($0) }
        let known = try await withNeutralConnection(to: places.target) { try Journal.loads(on: $0) }
        let done = Set(known.filter { $0.state == .loaded || $0.state == .ready }.map(\.table))
        let tables = schema.tables.filter { $0.kind == .ordinary }.map {
            LoadTable($0, totalBytes: $0.bytes, jobs: isSplit ? 3 : 1, smallestSplit: isSplit ? 0 : Int.max)
        }
        let loader = Loader(
            source: places.source,
            target: places.target,
            encoding: "UTF8",
            jobs: 3,
            maintenanceMemory: "64MB",
            progress: LoadProgress(known)
        )
        try await withSnapshot(of: places.source, from: .plain, waiting: { _ in }) { snapshot in
            try await loader.load(
                tables.filter { !done.contains($0.table.name) },
                loaded: tables.filter { done.contains($0.table.name) },
                under: snapshot
            )
        }
        try await withNeutralConnection(to: places.target) { target in
            try await IndexBuilder.finishPartitioned(schema, tables: schema.tables, on: target)
        }
    }

    /// What the tables hold, and all of their indexes and constraints.
    private static func picture(_ place: ConnectionString) async throws -> [String] {
        try await withNeutralConnection(to: place) { connection in
            let tables = try Schema(connection).tables
            var lines = try tables.map { table in
                let question: SQL = """
                    SELECT count(*) || ' ' || coalesce(md5(string_agg(r, ';' ORDER BY r)), '')
                      FROM (SELECT (t.*)::text COLLATE "C" AS r FROM ONLY \(table.name) t) AS x
                    """
                return "\(table.name) \(try connection.query(question)[0].text(0) ?? "")"
            }
            lines += try connection.query(constraints).map { $0.text(0) ?? "" }
            return lines + (try connection.query(indexes).map { $0.text(0) ?? "" })
        }
    }

    private static let constraints: SQL = """
        SELECT format('%s on %s: %s, child of %s, %s', conname, conrelid::regclass, pg_get_constraintdef(oid),
                      (SELECT p.conname FROM pg_constraint p WHERE p.oid = c.conparentid), conislocal)
          FROM pg_constraint c WHERE connamespace::regnamespace::text <> 'martlet' AND contype IN ('p', 'u', 'x') ORDER BY 1
        """

    private static let indexes: SQL = """
        SELECT format('%s, valid %s, identity %s, clustered %s, statistics %s, child of %s', pg_get_indexdef(indexrelid),
                      indisvalid, indisreplident, indisclustered,
                      (SELECT array_agg(attstattarget ORDER BY attnum) FROM pg_attribute WHERE attrelid = indexrelid),
                      (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid))
          FROM pg_index JOIN pg_class c ON c.oid = indexrelid
         WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
           AND relnamespace::regnamespace::text <> 'martlet' ORDER BY 1
        """
}
