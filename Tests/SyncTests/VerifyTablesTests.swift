import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Sync

@Suite(.databasePair) struct VerifyTablesTests {
    @Test func `missing, added and changed rows are told apart`() async throws {
        try await onBoth("CREATE TABLE t (a int, b text, c text, PRIMARY KEY (b, a))")
        try await onBoth("INSERT INTO t SELECT n, E'k\\t' || n, 'x' FROM generate_series(1, 1000) n")
        try await onTarget(
            "DELETE FROM t WHERE a = 7; UPDATE t SET c = NULL WHERE a = 8; INSERT INTO t VALUES (0, '', '')"
        )
        let verdict = try await compare()
        let table = try #require(verdict["t"])
        #expect(!verdict.equal && !table.equal)
        #expect((table.sourceRows, table.targetRows) == (1000, 1000))
        let found = table.differences
        #expect((found.onlyInSource, found.onlyInTarget, found.different, found.complete) == (1, 1, 1, true))
        #expect(found.keys.contains(.init(key: ["a": "7", "b": "k\\t7"], kind: .onlyInSource)))
        #expect(found.keys.contains(.init(key: ["a": "8", "b": "k\\t8"], kind: .different)))
        #expect(found.keys.contains(.init(key: ["a": "0", "b": ""], kind: .onlyInTarget)))
    }

    @Test func `rows without a key are counted`() async throws {
        try await onBoth("CREATE TABLE t (a int, b text)")
        try await onSource("INSERT INTO t VALUES (1, 'a'), (1, 'a'), (1, 'a'), (2, NULL), (3, 'c')")
        try await onTarget("INSERT INTO t VALUES (1, 'a'), (2, NULL), (2, NULL), (4, 'd')")
        let found = try #require(await compare()["t"]).differences
        #expect((found.onlyInSource, found.onlyInTarget, found.different) == (3, 2, 0))
        #expect(found.keys.isEmpty)
    }

    @Test func `a duplicate of a row is a difference`() async throws {
        try await onBoth("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1), (2), (2)")
        #expect(try await compare().equal)
        try await onTarget("DELETE FROM t; INSERT INTO t VALUES (1), (2), (2), (2)")
        let found = try #require(await compare()["t"]).differences
        #expect((found.onlyInSource, found.onlyInTarget) == (1, 1))
    }

    @Test func `tables without rows or columns are compared`() async throws {
        try await onBoth(
            "CREATE TABLE empty (a int PRIMARY KEY); CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES"
        )
        #expect(try await compare().equal)
        try await onSource("INSERT INTO bare DEFAULT VALUES")
        let verdict = try await compare()
        #expect(verdict["empty"]?.equal == true)
        #expect(verdict["bare"]?.differences.onlyInSource == 1)
    }

    @Test func `names may be as they like`() async throws {
        let long = String(repeating: "ä", count: 31) + "x"
        let name = "\"a\"\"b.'🐦 select\".\"\(long)\""
        try await onBoth(
            """
            CREATE SCHEMA "a""b.'🐦 select";
            CREATE TABLE \(name) ("order" int, "t" int, "k0" text, "a ""b"" 'c' $1 🐦" text, "h" int DEFAULT 1,
                "\(long)" text, "ctidx" int GENERATED ALWAYS AS ("order" + 1) STORED, PRIMARY KEY ("t", "a ""b"" 'c' $1 🐦"));
            INSERT INTO \(name) VALUES (1, 2, 'x', 'y');
            """
        )
        #expect(try await compare().equal)
        try await onTarget("UPDATE \(name) SET \"\(long)\" = 'z'")
        let table = try #require(await compare().tables.first)
        #expect(table.differences.keys == [.init(key: ["t": "2", "a \"b\" 'c' $1 🐦": "y"], kind: .different)])
    }

    @Test func `partitions may be cut otherwise`() async throws {
        try await onBoth("CREATE TABLE p (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)")
        try await onSource("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')")
        try await onTarget("CREATE TABLE x1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')")
        try await onTarget("CREATE TABLE x2 PARTITION OF p DEFAULT")
        try await onBoth("INSERT INTO p SELECT n, date '2024-01-01' + n FROM generate_series(0, 99) n")
        let verdict = try await compare()
        #expect(verdict.equal)
        #expect(verdict.tables.map(\.name) == ["p"])
        #expect(verdict.tables[0].bytes ?? 0 > 0)
        try await onTarget("DELETE FROM x2 WHERE id = 99")
        // A partition stands for its whole table.
        let one = try await compare { $0.tables = [QualifiedName(schema: "public", name: "p1")] }
        #expect(one["p"]?.differences.keys == [.init(key: ["id": "99", "at": "2024-04-09"], kind: .onlyInSource)])
    }

    @Test func `a parent is compared without its children`() async throws {
        try await onBoth(
            "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent)"
        )
        try await onBoth("INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)")
        try await onTarget("INSERT INTO child VALUES (3)")
        let verdict = try await compare()
        #expect(verdict["parent"]?.equal == true)
        #expect(verdict["child"]?.differences.onlyInTarget == 1)
    }

    @Test func `a column or a table of one side is a difference`() async throws {
        try await onSource(
            "CREATE TABLE t (a int, gone int, b text); CREATE TABLE lost (a int); INSERT INTO t VALUES (1, 2, 'x')"
        )
        try await onTarget(
            "CREATE TABLE t (b text, a int, added int); CREATE TABLE found (a int); INSERT INTO t VALUES ('x', 1)"
        )
        let verdict = try await compare()
        #expect(!verdict.equal)
        #expect(
            verdict["t"]?.problems == [
                "column \"gone\" is only on the source", "column \"added\" is only on the target",
            ]
        )
        #expect(verdict["t"]?.differences.count == 0)
        #expect(verdict["lost"]?.problems == ["the target has no such table"])
        #expect(verdict["found"]?.problems == ["the source has no such table"])
    }

    @Test func `many columns fit into one hash`() async throws {
        let columns = (0..<1200).map { "c\($0) \(["int", "text", "int8", "date"][$0 % 4])" }.joined(separator: ", ")
        try await onBoth("CREATE TABLE wide (\(columns)); INSERT INTO wide (c0, c1199) VALUES (1, '2024-01-01')")
        #expect(try await compare().equal)
        try await onTarget("UPDATE wide SET c1001 = ''")
        #expect(try await !compare().equal)
    }

    @Test func `a million rows are compared and one is found, in little memory`() async throws {
        try await onBoth("CREATE TABLE big (id int PRIMARY KEY, n int8, s text)")
        try await onBoth("INSERT INTO big SELECT n, n::int8 * 7919, md5(n::text) FROM generate_series(1, 1000000) n")
        let before = residentBytes()
        #expect(try await compare().equal)
        try await onTarget("UPDATE big SET s = s || '.' WHERE id = 765432; DELETE FROM big WHERE id = 1")
        let found = try #require(await compare()["big"]).differences
        #expect((found.onlyInSource, found.different, found.complete) == (1, 1, true))
        #expect(residentBytes() - before < 64 << 20)
        try await onTarget("UPDATE big SET n = 0")
        let all = try #require(await compare()["big"]).differences
        #expect(!all.complete)
        #expect(all.different > 100_000)
        #expect(all.keys.count == 100)
        #expect((all.onlyInSource <= 1, all.onlyInTarget) == (true, 0))
        #expect(residentBytes() - before < 200 << 20)
    }

    private func residentBytes() -> Int {
        let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return statm.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 4096 } ?? 0
    }
}

@Suite(.databasePair) struct VerifyRunTests {
    @Test func `both sides are seen at their snapshots`() async throws {
        try await onBoth(
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1)"
        )
        try await withConnection(to: DatabasePair.current.source) { source in
            try source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            let snapshot: String = try source.query("SELECT pg_export_snapshot() AS s")[0]("s")
            try await onSource("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)")
            let verdict = try await compare { $0.source.snapshot = snapshot }
            #expect(verdict.equal)
            #expect(try await !compare().equal)
        }
    }

    @Test func `a snapshot that is gone is told`() async throws {
        let error = await #expect(throws: PostgresError.self) {
            try await compare { $0.target.snapshot = "00000001-0000001B-1" }
        }
        #expect(error?.message.hasPrefix("could not read under the snapshot") == true)
    }

    @Test(arguments: [1, 2, 5])
    func `workers share the tables and tell what they do`(workers: Int) async throws {
        for number in 0..<8 {
            try await onBoth("CREATE TABLE t\(number) (id int PRIMARY KEY); INSERT INTO t\(number) VALUES (\(number))")
        }
        let events = Mutex<[String]>([])
        let verdict = try await compare {
            $0.workers = workers
            $0.progress = { event in
                events.withLock {
                    switch event {
                    case .started(let name, _): $0.append("started \(name.name)")
                    case .finished(let table): $0.append("finished \(table.name)")
                    }
                }
            }
        }
        #expect(verdict.equal && verdict.tables.map(\.name) == (0..<8).map { "t\($0)" })
        #expect(Set(events.withLock { $0 }).count == 16)
    }

    @Test func `a cancelled comparison ends soon`() async throws {
        try await onBoth("CREATE TABLE t (a int)")
        try await withConnection(to: DatabasePair.current.target) { blocker in
            try blocker.execute("BEGIN; LOCK TABLE t")
            let comparison = comparison { _ in }
            let started = ContinuousClock().now
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await comparison.run() }
                group.addTask {
                    try await withConnection(to: comparison.target.database) { watcher in
                        try await eventually("the comparison waits for the lock") {
                            let waiting: SQL = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                            return try watcher.query(waiting)[0].text(0) != "0"
                        }
                    }
                    throw CancellationError()
                }
                await #expect(throws: (any Error).self) { for try await _ in group {} }
                group.cancelAll()
            }
            #expect(ContinuousClock().now - started < .seconds(60))
        }
    }

    @Test func `an unreachable side is an error`() async throws {
        let nowhere = DatabasePair.current.target.with("dbname", "nowhere")
        await #expect(throws: PostgresError.self) { try await compare { $0.target = .init(nowhere) } }
    }

    @Test func `another encoding goes by digest`() async throws {
        let target = DatabasePair.current.target
        let name = (target["dbname"] ?? "") + "_latin"
        try await onTarget("CREATE DATABASE \(name) ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
        let latin = target.with("dbname", name)
        let sql: SQL = """
            CREATE TABLE t (id int PRIMARY KEY, s text, v text[]);
            INSERT INTO t VALUES (1, 'größer', '{ä}'), (2, NULL, '{}'), (3, '', NULL)
            """
        try await withConnection(to: DatabasePair.current.source) { try $0.execute(sql) }
        try await withNeutralConnection(to: latin, encoding: "UTF8") {
            try $0.execute("SET search_path = public")
            try $0.execute(sql)
        }
        let verdict = try await compare { $0.target = .init(latin) }
        #expect(verdict.equal && verdict.method == .text, "\(verdict.lines)")
        try await withConnection(to: latin) { try $0.execute("UPDATE t SET s = '' WHERE id = 2") }
        #expect(try await compare { $0.target = .init(latin) }.tables[0].differences.different == 1)
        try await onTarget("DROP DATABASE \(name)")
    }

    @Test func `the verdict reads back and has stable keys`() async throws {
        try await onBoth("CREATE TABLE t (id int PRIMARY KEY)")
        try await onSource("INSERT INTO t VALUES (1)")
        let verdict = try await compare { $0.lsn = LSN("0/16B3748") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = try encoder.encode(verdict)
        #expect(try JSONDecoder().decode(Verdict.self, from: json) == verdict)
        let text = String(decoding: json, as: UTF8.self)
        #expect(text.contains(#""keys":[{"key":{"id":"1"},"kind":"onlyInSource"}]"#))
        #expect(text.contains(#""lsn":"0/16B3748","method":"hash","notCompared":[],"seconds":"#))
        #expect(verdict.lines.contains("  (id=1): only on the source"))
    }

    @Test func `checks are asked of both sides`() async throws {
        try await onBoth("CREATE TABLE t (id int, s text); INSERT INTO t VALUES (1, 'a'), (2, NULL)")
        try await onTarget("UPDATE t SET s = 'b' WHERE id = 2; CREATE TABLE extra ()")
        let checks = try CheckFile(
            parsing: """
                -- name: rows
                SELECT count(*) FROM t;
                -- name: wrong
                SELECT * FROM extra;
                -- name: values
                SELECT id, s FROM t ORDER BY id;
                -- name: writes
                WITH a AS (DELETE FROM t RETURNING *) SELECT count(*) FROM a;
                """
        )
        let findings = try await compare {
            $0.tables = []
            $0.checks = checks
        }.checks
        #expect(findings.map(\.name) == ["rows", "wrong", "values", "writes"])
        #expect(findings.map(\.equal) == [true, false, false, false])
        #expect(findings[1].errors == [.init(side: "source", message: "relation \"extra\" does not exist")])
        #expect(findings[2].differences == [.init(row: 2, column: "s", source: nil, target: "b")])
        #expect(findings[3].errors.count == 2)
    }
}
