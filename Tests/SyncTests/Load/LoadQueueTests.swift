import Catalog
import Postgres
import TestSupport
import Testing

@testable import Sync

@Suite(.temporaryDatabase)
struct LoadQueueTests {
    static let tables: SQL = """
        CREATE TABLE big (id int PRIMARY KEY, pad text); CREATE INDEX ON big (pad); CREATE TABLE small (id int);
        CREATE TABLE keyed (id int PRIMARY KEY);
        INSERT INTO big SELECT i, repeat('x', 500) FROM generate_series(1, 3000) i
        """

    private static func loads() async throws -> [LoadTable] {
        try await withNeutralConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute(tables.inPublic)
            return try Schema(connection).tables.map { LoadTable($0, totalBytes: 1, jobs: 2) }
        }
    }

    @Test func `the largest piece comes first, indexes after their rows, and the end after both`() async throws {
        let queue = LoadQueue(try await Self.loads(), loaded: [])
        var order: [String] = []
        while let item = try queue.next() {
            order.append(item.name)
            queue.done(item, completing: queue.completed(by: item))
        }
        #expect(order.first == "part big")
        #expect(
            Set(order) == [
                "part big", "part small", "part keyed", "index big", "index keyed", "finish big", "finish small",
                "finish keyed",
            ]
        )
        #expect(order.count == 9)
        for table in ["big", "small", "keyed"] {
            #expect(order.lastIndex(of: "finish \(table)") == order.lastIndex { $0.hasSuffix(" \(table)") })
        }
    }

    @Test func `a loaded table has only its indexes left`() async throws {
        let queue = LoadQueue([], loaded: try await Self.loads().filter { $0.table.name.name == "keyed" })
        var order: [String] = []
        while let item = try queue.next() {
            order.append(item.name)
            queue.done(item, completing: queue.completed(by: item))
        }
        #expect(order == ["index keyed", "finish keyed"])
    }

    @Test func `others get no end of a table, and what they give back comes again`() async throws {
        let queue = LoadQueue(try await Self.loads(), loaded: [])
        var order: [String] = []
        while let item = queue.nextForOthers() {
            if !order.contains(item.name) {
                queue.giveBack(item)
            } else {
                queue.done(item, completing: queue.completed(by: item))
            }
            order.append(item.name)
        }
        // Everything twice (of two indexes of one name one only once), first the largest, and the ends are left.
        #expect(order.count == 11 && order.prefix(2) == ["part big", "part big"])
        #expect(!order.contains { $0.hasPrefix("finish") })
        var ends: Set<String> = []
        while let item = try queue.next() {
            ends.insert(item.name)
            queue.done(item, completing: queue.completed(by: item))
        }
        #expect(ends == ["finish big", "finish small", "finish keyed"])
    }

    @Test(arguments: [16 << 10, 100 << 10, 1 << 20, 1 << 40])
    func `a table is cut by the size of its parts`(partBytes: Int) async throws {
        let table = try #require(try await Self.loads().first { $0.table.name.name == "big" }?.table)
        let load = LoadTable(table, totalBytes: table.bytes, jobs: 2, partBytes: partBytes)
        let wanted = (table.bytes + partBytes - 1) / partBytes
        #expect(load.parts.count <= wanted && load.parts.count >= wanted / 2)
        #expect(load.isSplit == (partBytes < table.bytes))
    }

    @Test(arguments: [1, 2, 3, 4, 7]) func `parts cover every block once`(jobs: Int) async throws {
        let table = try #require(try await Self.loads().first { $0.table.name.name == "big" }?.table)
        let load = LoadTable(table, totalBytes: table.bytes, jobs: jobs, smallestSplit: 0)
        guard load.isSplit else { return #expect(jobs == 1) }
        let parts = load.parts.compactMap(\.self)
        #expect(parts.count <= jobs)
        #expect(parts.first?.lowerBound == 0 && parts.last?.upperBound == Int.max)
        #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound && !$0.isEmpty })
        let rows = try await withConnection(to: TemporaryDatabase.current) { connection in
            try load.parts.map { part in
                let copy = CopySQL(load: load, part: part).out
                var count = 0
                _ = try connection.copyOut(copy) { _ throws(PostgresError) in count += 1 }
                return count
            }
        }
        // A binary COPY has a header and an end as messages of their own.
        #expect(rows.reduce(0, +) >= 3000)
    }
}

extension SQL {
    /// The statements with `public` as the schema of new tables, for sessions with neutral settings.
    var inPublic: SQL { "SET search_path = public; \(self); SET search_path = pg_catalog" }
}

extension LoadQueue.Item {
    var name: String {
        switch self {
        case .part(let load, _): "part \(load.table.name.name)"
        case .index(let load, _): "index \(load.table.name.name)"
        case .finish(let load): "finish \(load.table.name.name)"
        }
    }
}
