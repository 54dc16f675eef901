import Catalog
import Postgres
import TestSupport
import Testing

/// Tables whose rows the log cannot name as they are.
struct Pitfall03KeyTests {
    /// The tables, with the replica identity that each has while it is moved.
    private static let tables: [(name: String, identity: String, definition: SQL)] = [
        ("keyless", "f", "CREATE TABLE keyless (id int, n int)"),
        ("odd", "f", "CREATE TABLE odd (id int, n int, j json, x xml, p point, t text)"),
        ("silent", "i", "CREATE TABLE silent (id int PRIMARY KEY, n int); ALTER TABLE silent REPLICA IDENTITY NOTHING"),
        (
            "indexed", "i",
            """
            CREATE TABLE indexed (id int NOT NULL, n int, may int); CREATE UNIQUE INDEX ON indexed (may);
            CREATE UNIQUE INDEX ON indexed ((id + 0)); CREATE UNIQUE INDEX ON indexed (id) WHERE n > 0;
            CREATE UNIQUE INDEX the_one ON indexed (id)
            """
        ),
        ("late", "f", "CREATE TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, n int)"),
        (
            "gone", "f",
            """
            CREATE TABLE gone (id int NOT NULL, n int); CREATE UNIQUE INDEX gone_index ON gone (id);
            ALTER TABLE gone REPLICA IDENTITY USING INDEX gone_index; DROP INDEX gone_index
            """
        ),
        ("parts", "f", ""), ("lists", "i", ""), ("sales", "d", ""), ("sales_high", "f", ""), ("parts_high", "f", ""),
        ("parts_low", "f", "CREATE TABLE parts (id int, n int) PARTITION BY RANGE (id)"),
        ("lists_low", "i", "CREATE TABLE lists (id int NOT NULL, n int, UNIQUE (id)) PARTITION BY RANGE (id)"),
        ("sales_low", "i", "CREATE TABLE sales (id int PRIMARY KEY, n int) PARTITION BY RANGE (id)"),
    ]

    private static let partitions: SQL = """
        CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (5);
        CREATE TABLE parts_high PARTITION OF parts DEFAULT;
        ALTER TABLE parts_low ALTER id SET NOT NULL; ALTER TABLE parts_low ADD PRIMARY KEY (id);
        CREATE TABLE lists_low PARTITION OF lists FOR VALUES FROM (0) TO (5);
        CREATE TABLE lists_high PARTITION OF lists DEFAULT;
        CREATE TABLE sales_low PARTITION OF sales FOR VALUES FROM (0) TO (5);
        CREATE TABLE sales_high PARTITION OF sales DEFAULT;
        ALTER TABLE sales_low REPLICA IDENTITY NOTHING; ALTER TABLE sales_high REPLICA IDENTITY FULL;
        CREATE TABLE log (line text)
        """

    private static let written = [
        "keyless", "odd", "silent", "indexed", "late", "gone", "parts", "lists", "sales",
    ]

    private static var definitions: SQL {
        let rows = SQL.joined(
            written.map { "INSERT INTO \(Identifier($0)) (id, n) SELECT i, 0 FROM generate_series(1, 9) i" },
            separator: "; "
        )
        return """
            \(SQL.joined(tables.map(\.definition).filter { $0 != "" }, separator: "; ")); \(partitions); \(rows);
            INSERT INTO keyless SELECT 5, 5 FROM generate_series(1, 3);
            UPDATE odd SET j = '{"a": 1}', x = '<a/>', p = '(1,2)', t = 't' WHERE id < 3
            """
    }

    private static func changes(_ number: Int) -> [SQL] {
        written.map { name in
            let table = Identifier(name)
            return """
                UPDATE \(table) SET n = n + 1; DELETE FROM \(table) WHERE id = 3; INSERT INTO \(table) (id, n) VALUES (3, \(number));
                DELETE FROM \(table) WHERE id = 7; INSERT INTO \(table) (id, n) VALUES (7, 0)
                """
        } + ["INSERT INTO log VALUES ('again'), (NULL)"]
    }

    @Test(.timeLimit(.minutes(5)), arguments: [nil, 14, 18] as [Int?])
    func `pitfall 3: tables without a key are followed, and their owner's UPDATE and DELETE never fail`(
        major: Int?
    ) async throws {
        try await withMove(from: major, to: major, of: Self.definitions) { move in
            let programs = try await Installation.client(atLeast: major ?? 15)
            let before = try await programs.definitions(of: move.source)
            try await whileWriting(to: move.source) {
                try await move.follow(then: .abort) {
                    for table in Self.tables {
                        let question: SQL =
                            "SELECT relreplident FROM pg_class WHERE oid = \(literal: table.name)::regclass"
                        let identity = try await ask(move.source, question)
                        #expect(identity == table.identity, "\(table.name)")
                    }
                }
            }
            #expect(try await programs.definitions(of: move.source) == before)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 3: tables without a key are followed there and back, with all duplicates`() async throws {
        try await withMove(of: Self.definitions) { move in
            try await move.thereAndBack {
                for change in Self.changes(1) + Self.keyChanges { try await move.write(change) }
            } afterCutover: {
                for change in Self.changes(2) + Self.keyChanges { try await execute(move.target, change) }
            }
            #expect(try await ask(move.source, "SELECT count(*) FROM keyless WHERE id = 5") == "4")
        }
    }

    /// New keys, also in another partition, and one of several rows that are equal.
    private static let keyChanges: [SQL] = [
        "UPDATE parts SET id = id + 300; UPDATE lists SET id = id + 100; UPDATE lists SET id = id - 100",
        "UPDATE sales SET id = -id; UPDATE sales SET id = -id; UPDATE sales SET id = 20 WHERE id = 2",
        "UPDATE sales SET id = 2 WHERE id = 20; UPDATE parts SET id = id - 300",
        "UPDATE keyless SET n = -1 WHERE ctid = (SELECT min(ctid) FROM keyless WHERE id = 5)",
        """
        DELETE FROM odd WHERE ctid = (SELECT min(ctid) FROM odd WHERE t = 't'); UPDATE odd SET p = '(3,4)', x = '<b/>';
        UPDATE odd SET j = '{"b" : 1}' WHERE id = 4
        """,
    ]

    /// Runs `body` while a writer changes every table again and again; an error of the writer ends it.
    private func whileWriting(to source: ConnectionString, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withConnection(to: source) { writer in
                    var round = 0
                    while !Task.isCancelled {
                        for change in Self.changes(round) {
                            do {
                                try writer.execute(change)
                            } catch  where Task.isCancelled {
                                return
                            }
                        }
                        round += 1
                        await Task.yield()
                    }
                }
            }
            do {
                try await body()
                group.cancelAll()
                try await group.waitForAll()
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    @Test func `pitfall 3: a key with a generated column names no row, so the whole row does`() async throws {
        let definitions: SQL = """
            CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY, n int);
            INSERT INTO g (a, n) SELECT i, 0 FROM generate_series(1, 5) i
            """
        try await withMove(from: 17, of: definitions) { move in
            try await move.follow {
                #expect(try await ask(move.source, "SELECT relreplident FROM pg_class WHERE relname = 'g'") == "f")
                try await move.write("UPDATE g SET n = a; UPDATE g SET a = -a WHERE a = 1; DELETE FROM g WHERE a = 3")
            }
        }
        try await withMove(from: 18, of: definitions) { move in
            let refused = try await move.run("migrate")
            #expect(refused.status != 0)
            #expect(refused.error.contains("with generated columns can be named by nothing"), "\(refused.error)")
            try await move.write("UPDATE g SET n = 1; DELETE FROM g WHERE a = 3")
        }
    }
}
