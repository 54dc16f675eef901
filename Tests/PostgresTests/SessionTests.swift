import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.temporaryDatabase)
struct SessionTests {
    static let names = [
        "plain", "select", "Two Words", "a\"b", "\"\u{301}", "it's", "back\\slash", "🐦‍⬛",
        String(repeating: "x", count: 63),
    ]

    @Test(arguments: names)
    func `a table of any name can be made and found`(name: String) async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            let table = QualifiedName(schema: "public", name: name)
            try connection.execute("CREATE TABLE \(table) (\(Identifier(name)) int)")
            let rows = try connection.query("SELECT relname FROM pg_class WHERE oid = to_regclass($1)", table.quoted)
            #expect(try Identifier(rows[0]("relname")) == Identifier(name))
        }
    }

    @Test(arguments: ["on", "off"], names + ["\\'", "'\\", "\\n", "\\\u{301}"])
    func `a literal comes back unchanged`(conforming: String, text: String) async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute("SET standard_conforming_strings = \(SQL(trusting: conforming))")
            let row = try connection.query("SELECT \(literal: text) AS literal, $1::text AS parameter", text)[0]
            #expect(try Identifier(row("literal")) == Identifier(text))
            #expect(try Identifier(row("parameter")) == Identifier(text))
        }
    }

    @Test func `our own sessions have our names, and acknowledge no commit that a crash would undo`() async throws {
        let place = TemporaryDatabase.current.with("application_name", "batch")
            .with("options", "-c synchronous_commit=off")
        func settings(_ connection: Connection) throws -> [String?] {
            let row = try connection.query(
                "SELECT current_setting('application_name'), current_setting('synchronous_commit')"
            )[0]
            return [row.text(0), row.text(1)]
        }
        #expect(try await withConnection(to: place) { try settings($0) } == ["batch", "off"])
        #expect(try await withNeutralConnection(to: place) { try settings($0) } == ["martlet", "local"])
        let kept = place.with("options", "-c synchronous_commit=remote_apply")
        #expect(
            try await withNeutralConnection(to: kept, application: "martlet load 1") { try settings($0) }
                == ["martlet load 1", "remote_apply"]
        )
    }

    @Test func `values come back as what they were`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            let texts = ["", "a,b", "\"\\", "NULL", "{}", "\u{301}", " "]
            let row = try connection.query(
                "SELECT $1::int8 i, $2::bool b, $3::float8 d, $4::text[] t, $5::int[] n, $6::pg_lsn l, $7::text z",
                Int.min,
                true,
                -Double.infinity,
                texts,
                [1, 2],
                LSN(77),
                String?.none
            )[0]
            #expect(try row("i") as Int == .min && row("b") as Bool && row("d") as Double == -.infinity)
            #expect(try row("t") as [String] == texts && row("n") as [Int] == [1, 2] && row("l") as LSN == LSN(77))
            #expect(try row.optional("z", as: String.self) == nil)
            #expect(throws: PostgresError.self) { try row("z", as: String.self) }
            #expect(throws: PostgresError.self) { try row("missing", as: String.self) }
        }
    }

    @Test func `a zero byte is refused and not cut off`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            let parameter = #expect(throws: PostgresError.self) { try connection.query("SELECT $1::text", "a\0b") }
            #expect(parameter?.sqlState == "22021")
            #expect(throws: PostgresError.self) { try connection.execute("SELECT 1\0; SELECT 2") }
        }
    }

    @Test func `an error tells what the server knows`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute("CREATE TABLE t (id int CONSTRAINT one PRIMARY KEY); INSERT INTO t VALUES (1)")
            let double = #expect(throws: PostgresError.self) { try connection.execute("INSERT INTO t VALUES (1)") }
            #expect(double?.sqlState == "23505" && double?.constraint == "one")
            #expect(double?.table == QualifiedName(schema: "public", name: "t"))
            #expect(double?.detail == "Key (id)=(1) already exists.")
            let null = #expect(throws: PostgresError.self) { try connection.execute("INSERT INTO t VALUES (NULL)") }
            #expect(null?.column == "id")
            let unknown = #expect(throws: PostgresError.self) { try connection.execute("SELECT idd FROM t") }
            #expect(unknown?.position == 8 && unknown?.hint?.contains("t.id") == true)
        }
    }

    @Test func `a transaction commits, rolls back, and never hides a failure`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute("CREATE TABLE t (id int)")
            try await connection.transaction { try connection.execute("INSERT INTO t VALUES (1)") }
            await #expect(throws: PostgresError.self) {
                try await connection.transaction {
                    try connection.execute("INSERT INTO t VALUES (2)")
                    try connection.execute("SELECT 1/0")
                }
            }
            let hidden = await #expect(throws: PostgresError.self) {
                try await connection.transaction {
                    try connection.execute("INSERT INTO t VALUES (3)")
                    #expect(throws: PostgresError.self) { try connection.execute("SELECT 1/0") }
                }
            }
            #expect(hidden?.sqlState == "25P02")
            #expect(!connection.isInTransaction)
            #expect(try connection.query("SELECT sum(id) s FROM t")[0]("s") as Int == 1)
        }
    }

    @Test func `notices are kept until they are taken`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            try connection.execute("DO $$BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END$$")
            let notices = connection.takeNotices()
            #expect(notices.count == 2 && notices[0].contains("one") && notices[1].contains("two"))
            #expect(connection.takeNotices().isEmpty)
        }
    }

    @Test func `every call on a lost connection says so`() async throws {
        let target = TemporaryDatabase.current
        for call in LostCall.allCases {
            try await withConnection(to: target) { connection in
                _ = try await withConnection(to: target) { killer in
                    // Waits up to five seconds for the process to be gone.
                    try killer.query("SELECT pg_terminate_backend($1, 5000)", connection.processID)
                }
                let first = #expect(throws: PostgresError.self) { try call.run(on: connection) }
                #expect(first?.isConnectionLoss == true, "\(call): \(String(describing: first))")
                let second = #expect(throws: PostgresError.self) { try call.run(on: connection) }
                #expect(second?.sqlState == "08006", "\(call): \(String(describing: second))")
            }
        }
    }

    enum LostCall: CaseIterable {
        case query, execute, prepare, copyOut, copyIn, pipeline

        func run(on connection: Connection) throws(PostgresError) {
            switch self {
            case .query: try connection.query("SELECT $1::int", 1)
            case .execute: try connection.execute("SELECT 1")
            case .prepare: _ = try connection.prepare("SELECT 1", types: [])
            case .copyOut: _ = try connection.copyOut("COPY (SELECT 1) TO STDOUT") { _ in }
            case .copyIn: _ = try connection.copyIn("COPY pg_class FROM STDIN") { _ in }
            case .pipeline: try connection.pipeline { pipeline throws(PostgresError) in try pipeline.send("SELECT 1") }
            }
        }
    }

    @Test func `an unknown database and a closed port have hints`() async throws {
        let target = TemporaryDatabase.current
        let unknown = await #expect(throws: PostgresError.self) {
            try await withConnection(to: target.with("dbname", "nowhere")) { _ in }
        }
        #expect(unknown?.sqlState == "3D000" && unknown?.hint?.contains("database") == true)
        let refused = await #expect(throws: PostgresError.self) {
            try await withConnection(to: target.with("host", "127.0.0.1").with("port", "1")) { _ in }
        }
        #expect(refused?.sqlState == "08001" && refused?.hint?.contains("firewall") == true)
    }
}
