import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Rows that do not fit into one buffer, over a plain and over an encrypted session.
struct LargeTests {
    /// Small rows, rows about as large as a buffer, and rows of several buffers.
    private static let rows: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
        INSERT INTO t SELECT i, repeat(chr(60 + i % 60), CASE WHEN i % 10 = 0 THEN i * 5000 ELSE 262144 - 40 + i END)
          FROM generate_series(1, 120) i;
        INSERT INTO t SELECT i, repeat('é', i % 50) FROM generate_series(1001, 60000) i; INSERT INTO t VALUES (0, NULL)
        """
    private static let digest: SQL = "SELECT count(*) || md5(string_agg(id || coalesce(md5(v), '-'), ',' ORDER BY id))"

    @Test(.timeLimit(.minutes(3)), arguments: [false, true])
    func `rows of any size are relayed, and the sessions go on`(isEncrypted: Bool) async throws {
        try await Self.withSessions(isEncrypted: isEncrypted) { source, target in
            try source.execute(Self.rows + "; CREATE TABLE u (LIKE t); CREATE TABLE w (LIKE t, UNIQUE (id))")
            for format in ["text", "binary"] as [SQL] {
                try source.execute("BEGIN; SAVEPOINT s")
                let count = try target.copyIn(
                    "COPY u FROM STDIN (FORMAT \(format))",
                    from: source,
                    "COPY t TO STDOUT (FORMAT \(format))"
                ) { _, _ in }
                #expect(count == 59_121)
                try source.execute("ROLLBACK TO s; COMMIT")
                #expect(
                    try source.query("\(Self.digest) FROM t AS x")[0].text(0)
                        == target.query("\(Self.digest) FROM u AS x")[0].text(0)
                )
                try target.execute("TRUNCATE u; TRUNCATE w; INSERT INTO w VALUES (60000)")
                // What fails on either side, at the start or at the end.
                let failures: [(into: SQL, out: SQL, state: String?)] = [
                    ("COPY w FROM STDIN", "COPY (SELECT * FROM t ORDER BY id) TO STDOUT", "23505"),
                    ("COPY u FROM STDIN", "COPY (SELECT 1 / (id - 110), v FROM t ORDER BY id) TO STDOUT", "22012"),
                    ("COPY u FROM STDIN", "COPY nothing TO STDOUT", "42P01"),
                    ("COPY u FROM STDIN", "SELECT 1", nil),
                ]
                for (into, out, state) in failures {
                    let error = #expect(throws: PostgresError.self) {
                        try target.copyIn(into, from: source, out) { _, _ in }
                    }
                    #expect(error?.sqlState == state)
                    #expect(try source.query("SELECT 1 AS n")[0]("n") == 1)
                    #expect(try target.query("SELECT count(*) AS n FROM u")[0]("n") == 0)
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(3)), arguments: [false, true])
    func `parameters of any size are sent between others, and their failures come in order`(
        isEncrypted: Bool
    ) async throws {
        try await Self.withSessions(isEncrypted: isEncrypted) { session, _ in
            try session.execute("CREATE TABLE t (id text PRIMARY KEY, v text, w text)")
            let insert = try session.prepare("INSERT INTO t VALUES ($1, $2, $3)", types: [25, 25, 25])
            let update = try session.prepare("UPDATE t SET v = $2 WHERE id = $1", types: [25, 25])
            try session.execute("BEGIN")
            try session.pipeline { pipeline throws(PostgresError) in
                for (id, size) in [("a", 0), ("b", 10), ("c", 65_536), ("d", 3_000_000)] {
                    try pipeline.send("INSERT INTO t VALUES (\(literal: id + "-"))", expecting: 1)
                    try pipeline.send(insert, streaming: [Self.value(id), Self.value(id, size), nil], expecting: 1)
                }
                try pipeline.send(update, streaming: [Self.value("b"), Self.value("x", 70_000)], expecting: 1)
            }
            try session.execute("COMMIT")
            let lengths: SQL = "SELECT string_agg(id || coalesce(length(v), -1) || left(v, 1), ' ' ORDER BY id) FROM t"
            #expect(try session.query("\(lengths) WHERE v IS NOT NULL")[0].text(0) == "a0 b70000x c65536c d3000000d")
            #expect(try session.query("SELECT count(*) AS n FROM t WHERE w IS NULL")[0]("n") == 8)

            // The first failure is told, whether it came before, in, or after a large statement.
            for (place, state) in [(0, "22012"), (1, "23505"), (2, PostgresError.wrongRowCount)] {
                let error = #expect(throws: PostgresError.self) {
                    try session.pipeline { pipeline throws(PostgresError) in
                        try pipeline.send("BEGIN")
                        try pipeline.send("DELETE FROM t WHERE id = 'd'", expecting: 1)
                        pipeline.tag = 7
                        if place == 0 { try pipeline.send("SELECT 1/0") }
                        pipeline.tag = place == 0 ? 8 : 7
                        if place == 1 {
                            try pipeline.send(
                                insert,
                                streaming: [Self.value("a"), Self.value("x", 500_000), nil],
                                expecting: 1
                            )
                        } else {
                            let id = Self.value(place == 2 ? "none" : "a")
                            try pipeline.send(update, streaming: [id, Self.value("x", 500_000)], expecting: 1)
                        }
                        pipeline.tag = 9
                        try pipeline.send("SELECT nonsense")
                        do throws(PostgresError) { try pipeline.synchronize() } catch {
                            #expect(pipeline.failedTag == 7)
                            try pipeline.send("ROLLBACK")
                            try pipeline.synchronize()
                            throw error
                        }
                    }
                }
                #expect(error?.sqlState == state)
                #expect(try session.query("SELECT count(*) AS n FROM t WHERE id = 'd'")[0]("n") == 1)
            }
        }
    }

    @Test func `a session that could not send all of a parameter is of no more use`() async throws {
        try await Self.withSessions(isEncrypted: false) { session, other in
            try session.execute("CREATE TABLE t (v text)")
            let insert = try session.prepare("INSERT INTO t VALUES ($1)", types: [25])
            let error = #expect(throws: PostgresError.self) {
                try session.pipeline { pipeline throws(PostgresError) in
                    let value = StreamedValue(length: 900_000) { send throws(PostgresError) in
                        try Self.send(500_000, send)
                        throw PostgresError("no more")
                    }
                    try pipeline.send(insert, streaming: [value], expecting: 1)
                }
            }
            #expect(error?.message == "no more")
            #expect(throws: PostgresError.self) { try session.query("SELECT 1") }
            #expect(try other.query("SELECT count(*) AS n FROM t")[0]("n") == 0)
        }
    }

    @Test(.timeLimit(.minutes(3)), arguments: [false, true])
    func `a large change is streamed in pieces between others`(isEncrypted: Bool) async throws {
        try await Self.withServer(isEncrypted: isEncrypted) { place in
            try await withConnection(to: place) { session in
                try session.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t")
                try session.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
                for (id, size) in [(1, 10), (2, 3_000_000), (3, 1), (4, 70_000), (5, 2_000_000)] {
                    try session.execute("INSERT INTO t VALUES (\(id), repeat('x', \(size)))")
                }
            }
            try await withConnection(to: place.with("replication", "database")) { replication in
                let stream = try replication.startReplication(
                    slot: "s",
                    publication: "p",
                    from: .zero,
                    isBinary: true,
                    largeChange: 300_000
                )
                var (lengths, passed): ([Int], Int) = ([], 0)
                let deadline = ContinuousClock.now + .seconds(60)
                while lengths.count < 5, ContinuousClock.now < deadline {
                    try stream.sendStatus(received: .zero, flushed: .zero)
                    _ = try stream.receive(timeout: 100) { message throws(PostgresError) in
                        switch message {
                        case .change(_, let payload):
                            if payload[0] == UInt8(ascii: "I") { lengths.append(payload.count) }
                        case .piece(let start, let bytes, let offset, let length):
                            #expect(start > .zero && offset == passed && (offset > 0 || bytes[0] == UInt8(ascii: "I")))
                            passed += bytes.count
                            guard passed == length else { return }
                            lengths.append(length)
                            passed = 0
                        case .keepalive: #expect(passed == 0)
                        }
                    }
                }
                // Kind, OID, mark, number of columns, and two values with kind and length.
                #expect(lengths == [10, 3_000_000, 1, 70_000, 2_000_000].map { $0 + 1 + 4 + 1 + 2 + 5 + 4 + 5 })
            }
        }
    }

    private static func value(_ text: String, _ count: Int = 1) -> StreamedValue {
        StreamedValue(length: text.utf8.count * count) { send throws(PostgresError) in
            let piece = Array(String(repeating: text, count: min(count, 10_000)).utf8)
            var left = text.utf8.count * count
            while left > 0 {
                let part = piece.prefix(left)
                try part.withUnsafeBufferPointer { bytes throws(PostgresError) in
                    try send(UnsafeRawBufferPointer(bytes))
                }
                left -= part.count
            }
        }
    }

    private static func send(
        _ count: Int,
        _ send: (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        let bytes = [UInt8](repeating: 65, count: count)
        try bytes.withUnsafeBufferPointer { bytes throws(PostgresError) in
            try send(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Two sessions of one database.
    private static func withSessions(
        isEncrypted: Bool,
        _ body: (Connection, Connection) throws -> Void
    ) async throws {
        try await withServer(isEncrypted: isEncrypted) { place in
            try await withConnection(to: place) { one in
                #expect(one.isEncrypted == isEncrypted)
                try await withConnection(to: place) { two in try body(one, two) }
            }
        }
    }

    private static func withServer(
        isEncrypted: Bool,
        _ body: (ConnectionString) async throws -> Void
    ) async throws {
        try await Cluster.withServer(ServerConfiguration(tcp: .anyPort)) { server in
            guard isEncrypted else { return try await body(server.connection()) }
            try await server.encrypt()
            try await body(server.connection().with("sslmode", "require"))
        }
    }
}
