import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.temporaryDatabase)
struct FlowTests {
    static let table: SQL = "CREATE TABLE t (id int PRIMARY KEY, v text)"

    @Test func `one hundred thousand statements do not deadlock`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute(Self.table)
            let insert = try connection.prepare("INSERT INTO t VALUES ($1, repeat('x', 40)) RETURNING *", types: [23])
            try await connection.transaction {
                try connection.pipeline { pipeline throws(PostgresError) in
                    for id in 0..<100_000 {
                        var bytes = Int32(id).bigEndian
                        var failure: PostgresError?
                        withUnsafeBytes(of: &bytes) { value in
                            do throws(PostgresError) {
                                try pipeline.send(insert, [value], expecting: 1)
                            } catch { failure = error }
                        }
                        if let failure { throw failure }
                    }
                }
            }
            #expect(try connection.query("SELECT count(*) n FROM t")[0]("n") as Int == 100_000)
        }
    }

    @Test func `the first error of a pipeline wins and the session goes on`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute(Self.table)
            let error = #expect(throws: PostgresError.self) {
                try connection.pipeline { pipeline throws(PostgresError) in
                    try pipeline.send("INSERT INTO t VALUES (1)")
                    try pipeline.send("SELECT 1/0")
                    try pipeline.send("SELECT nonsense")
                }
            }
            #expect(error?.sqlState == "22012")
            let count = #expect(throws: PostgresError.self) {
                try connection.pipeline { pipeline throws(PostgresError) in
                    try pipeline.send("UPDATE t SET v = 'x'", expecting: 1)
                }
            }
            #expect(count?.sqlState == PostgresError.wrongRowCount)
            #expect(try connection.query("SELECT count(*) n FROM t")[0]("n") as Int == 0)
        }
    }

    @Test func `a COPY has its place between the statements of a pipeline`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute(Self.table)
            func copy(_ text: String, expecting rows: Int, _ pipeline: Pipeline) throws(PostgresError) {
                try pipeline.copyIn("COPY t FROM STDIN", expecting: rows) { writer throws(PostgresError) in
                    for line in text.split(separator: ";") {
                        let bytes = Array("\(line)\n".utf8)
                        var failure: PostgresError?
                        bytes.withUnsafeBytes { bytes in
                            do throws(PostgresError) { try writer.write(bytes) } catch { failure = error }
                        }
                        if let failure { throw failure }
                    }
                }
            }
            try connection.pipeline { pipeline throws(PostgresError) in
                try pipeline.send("INSERT INTO t VALUES (1, 'one')")
                try copy("2\ttwo;3\tthree", expecting: 2, pipeline)
                try pipeline.send("UPDATE t SET v = 'all'", expecting: 3)
            }
            // A failure is that of the COPY, what comes after it is not sent, and the session goes on.
            for (text, sqlState) in [("4\tfour;1\tagain", "23505"), ("5\tfive", PostgresError.wrongRowCount)] {
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.transaction {
                        try connection.pipeline { pipeline throws(PostgresError) in
                            try copy(text, expecting: 2, pipeline)
                            try copy("6\tsix", expecting: 1, pipeline)
                            try pipeline.synchronize()
                        }
                    }
                }
                #expect(error?.sqlState == sqlState)
            }
            #expect(try connection.query("SELECT count(*) n FROM t WHERE v = 'all'")[0]("n") as Int == 3)
            #expect(try connection.query("SELECT count(*) n FROM t")[0]("n") as Int == 3)
        }
    }

    @Test(arguments: ["text", "binary"])
    func `copied rows are equal`(format: String) async throws {
        let target = TemporaryDatabase.current
        try await withConnection(to: target) { source in
            try await withConnection(to: target) { sink in
                try source.execute(Self.table + "; CREATE TABLE u (LIKE t)")
                try source.execute(
                    "INSERT INTO t SELECT g, repeat(md5(g::text), g % 50) FROM generate_series(1, 5000) g"
                )
                // One row that is larger than the writer's buffer and than one message.
                try source.execute("INSERT INTO t VALUES (0, repeat('é\\', 1000000))")
                let options = SQL(trusting: "(FORMAT \(format))")
                var seen = 0
                let rows = try sink.copyIn(
                    "COPY u FROM STDIN \(options)",
                    from: source,
                    "COPY t TO STDOUT \(options)"
                ) { _, bytes in seen += bytes }
                #expect(rows == 5001 && seen > 3_000_000)
                let hash: SQL = "md5(string_agg(id || v, ',' ORDER BY id))"
                let row = try source.query("SELECT (SELECT \(hash) FROM t) = (SELECT \(hash) FROM u) AS same")[0]
                #expect(try row("same"))
            }
        }
    }

    @Test func `a failing source fails the copy and is the error told`() async throws {
        let target = TemporaryDatabase.current
        try await withConnection(to: target) { source in
            try await withConnection(to: target) { sink in
                try source.execute(Self.table)
                let error = #expect(throws: PostgresError.self) {
                    try sink.copyIn(
                        "COPY t (id) FROM STDIN",
                        from: source,
                        "COPY (SELECT 1 / (100000 - g) FROM generate_series(1, 100000) g) TO STDOUT"
                    ) { _, _ in }
                }
                #expect(error?.sqlState == "22012")
                #expect(try sink.query("SELECT count(*) n FROM t")[0]("n") as Int == 0)
                try source.execute("SELECT 1")
            }
        }
    }

    @Test func `a failing target ends the source's copy at once`() async throws {
        let target = TemporaryDatabase.current
        try await withConnection(to: target) { source in
            try await withConnection(to: target) { sink in
                try source.execute(Self.table)
                var read = 0
                let error = #expect(throws: PostgresError.self) {
                    try sink.copyIn(
                        "COPY t (id) FROM STDIN",
                        from: source,
                        "COPY (SELECT 1 FROM generate_series(1, 100000000)) TO STDOUT"
                    ) { rows, _ in read += rows }
                }
                #expect(error?.sqlState == "23505" && error?.context?.contains("COPY t") == true)
                #expect(read < 50_000_000)
                try source.execute("SELECT 1")
                try sink.execute("SELECT 1")
            }
        }
    }

    /// The server tells its error, is busy with removing files, and only then takes what is left to send.
    @Test(.timeLimit(.minutes(3)))
    func `a COPY that is refused with rows still to be sent ends, and the session goes on`() async throws {
        try await withServer(ServerConfiguration()) { server in
            try await withConnection(to: server.connection()) { connection in
                try connection.execute(
                    """
                    CREATE TABLE t (v text);
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(0.01); RAISE EXCEPTION 'no'; END $$;
                    CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()
                    """
                )
                for length in [99, 999, 20_000, 120_000] {
                    let line = [UInt8](repeating: UInt8(ascii: "x"), count: length) + [UInt8(ascii: "\n")]
                    for tables in [0, 20, 100] {
                        try connection.execute(
                            """
                            BEGIN;
                            DO $$ BEGIN FOR i IN 1..\(SQL(trusting: String(tables))) LOOP EXECUTE format('CREATE TABLE u%s (a int)', i); END LOOP; END $$
                            """
                        )
                        let error = #expect(throws: PostgresError.self) {
                            try connection.copyIn("COPY t FROM STDIN") { writer throws(PostgresError) in
                                for _ in 0..<(10_000_000 / length) { try writer.write(line) }
                            }
                        }
                        #expect(error?.sqlState == "P0001")
                        try connection.execute("ROLLBACK")
                    }
                }
            }
        }
    }

    @Test func `a statement of the wrong kind leaves the session usable`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute(Self.table)
            for sql in ["COPY t FROM STDIN", "COPY t TO STDOUT"] as [SQL] {
                #expect(throws: PostgresError.self) { try connection.execute(sql) }
            }
            #expect(throws: PostgresError.self) { try connection.copyOut("COPY t FROM STDIN") { _ in } }
            #expect(throws: PostgresError.self) { try connection.copyIn("COPY t TO STDOUT") { _ in } }
            #expect(throws: PostgresError.self) { try connection.copyIn("SELECT 1") { _ in } }
            try connection.execute("SELECT 1")
        }
    }

    @Test(arguments: ["SELECT pg_sleep(60)", "COPY (SELECT pg_sleep(1) FROM generate_series(1, 60)) TO STDOUT"])
    func `cancellation ends what the server does`(sql: SQL) async throws {
        let target = TemporaryDatabase.current
        await withTaskGroup { group in
            group.addTask {
                let error = await #expect(throws: PostgresError.self) {
                    try await withConnection(to: target) { connection in
                        if sql.text.hasPrefix("COPY") {
                            _ = try connection.copyOut(sql) { _ in }
                        } else {
                            try connection.execute(sql)
                        }
                    }
                }
                #expect(error?.sqlState == "57014")
            }
            await #expect(throws: Never.self) {
                try await withConnection(to: target) { observer in
                    try observer.wait(
                        until: """
                            SELECT count(*) = 1 FROM pg_stat_activity
                            WHERE wait_event = 'PgSleep' AND datname = current_database()
                            """
                    )
                }
            }
            let elapsed = await ContinuousClock().measure {
                group.cancelAll()
                await group.waitForAll()
            }
            #expect(elapsed < .seconds(30), "a statement of a minute went on")
        }
    }

    @Test func `sixteen connections wait at the same time`() async throws {
        let target = TemporaryDatabase.current
        let ranges = try await withThrowingTaskGroup(of: (Double, Double).self) { group in
            for _ in 0..<16 {
                group.addTask {
                    try await withConnection(to: target) { connection in
                        let clock: SQL = "SELECT extract(epoch FROM clock_timestamp())::float8 AS at"
                        // A barrier: nobody sleeps before all sixteen sessions are there.
                        try connection.wait(
                            until: "SELECT count(*) >= 16 FROM pg_stat_activity WHERE datname = current_database()"
                        )
                        let start = try connection.query(clock)[0]("at") as Double
                        try connection.execute("SELECT pg_sleep(0.3)")
                        return (start, try connection.query(clock)[0]("at") as Double)
                    }
                }
            }
            return try await group.reduce(into: [(Double, Double)]()) { $0.append($1) }
        }
        let lastStart = try #require(ranges.map(\.0).max())
        let firstEnd = try #require(ranges.map(\.1).min())
        #expect(lastStart < firstEnd)
    }
}

extension Connection {
    /// Asks until the answer is true, at most ten seconds long.
    func wait(until condition: SQL) throws(PostgresError) {
        let deadline = ContinuousClock.now + .seconds(60)
        while try query(condition)[0].text(0) != "t" {
            guard ContinuousClock.now < deadline else { throw PostgresError("not true in time: \(condition.text)") }
        }
    }
}
