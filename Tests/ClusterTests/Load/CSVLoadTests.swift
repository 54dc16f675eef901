import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Cluster

@Suite(.temporaryDatabase)
struct CSVLoadTests {
    private var place: ConnectionString { TemporaryDatabase.current }

    /// Loads a text into table `t`, and tells the lines that were set aside.
    private func load(
        _ text: String,
        limit: Int = 1000,
        _ change: (inout CSVLoad.Form) -> Void = { _ in }
    ) async throws -> (rows: Int, lines: [Int]) {
        try await withTemporaryDirectory { directory in
            let path = directory + "/t.csv"
            try Data(text.utf8).write(to: URL(filePath: path))
            var form = CSVLoad.Form()
            change(&form)
            let shape = try await GeneratedRows.table(named: "t", at: place)
            let lines = Mutex<[Int]>([])
            let done = try await CSVLoad(path: path, into: shape, form, limit: limit).run(at: place) { _ in
            } reject: { row in
                lines.withLock { $0.append(row.line) }
            }
            #expect(done.rejected == lines.withLock(\.count))
            return (done.rows, lines.withLock { $0 }.sorted())
        }
    }

    @Test func `columns are found by their names, whatever their order and their capitals`() async throws {
        try await execute(place, "CREATE TABLE t (id int, full_name text, at date DEFAULT '2020-01-01')")
        let text = "\u{feff}Full Name,ID\r\n\"Ada, \"\"the\"\"\nfirst\",1\r\n,2\r\n\r\n\"\",3\r\n"
        #expect(try await load(text) == (3, []))
        #expect(
            try await ask(place, "SELECT string_agg(id || coalesce(full_name, '-') || at, '|' ORDER BY id) FROM t")
                == "1Ada, \"the\"\nfirst2020-01-01|2-2020-01-01|32020-01-01"
        )
    }

    @Test func `bad rows are set aside with their lines, and the others are loaded`() async throws {
        try await execute(
            place,
            """
            CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 10);
            CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p, n int CHECK (n > 0), d date)
            """
        )
        var lines = ["id,p,n,d"]
        for id in 1...12_000 { lines.append("\(id),\(id % 10 + 1),1,2020-01-01") }
        // Lines are counted from 1, and the heading is the first one.
        lines[1] = "x,1,1,2020-01-01"
        lines[4] = "3,99,1,2020-01-01"
        lines[5] = "5,1,0,2020-01-01"
        lines[7] = "1000,1,1,2020-01-01"
        lines[8] = "8,1,1"
        lines[9] = "9,1,1,2020-01-01,5"
        lines[11_999] = "11999,1,1,never"
        let (rows, set) = try await load(lines.joined(separator: "\n"))
        // Of two rows with one key the first stays.
        #expect(set == [2, 5, 6, 9, 10, 1001, 12_000])
        #expect(rows == 11_993)
        #expect(try await ask(place, "SELECT count(*) FROM t") == "11993")
    }

    @Test func `too many bad rows undo all of it`() async throws {
        try await execute(place, "CREATE TABLE t (id int)")
        let error = await #expect(throws: PostgresError.self) { try await load("id\n1\nx\n2\ny\n", limit: 1) }
        #expect(error?.message.contains("more than 1 rows") == true && error?.detail?.contains("Line 5") == true)
        #expect(try await ask(place, "SELECT count(*) FROM t") == "0")
    }

    @Test func `columns that are left out do not shift others`() async throws {
        try await execute(place, "CREATE TABLE t (a int, b int)")
        let (rows, lines) = try await load("a,junk,b\n1,\"x,y\",2\n3,4\n5,\"\"\"\",6\n") { $0.skipped = ["junk"] }
        #expect(rows == 2 && lines == [3])
        #expect(try await ask(place, "SELECT string_agg(a || '-' || b, ',' ORDER BY a) FROM t") == "1-2,5-6")
    }

    @Test func `a heading that does not fit is said`() async throws {
        try await execute(place, "CREATE TABLE t (a int)")
        for (text, message) in [
            ("a,b\n1,2\n", "has no column \"b\""), ("a,A\n1,2\n", "has column \"a\" twice"), ("", "is empty"),
            ("a\n\"1\n", "could not read the record at line 2"),
        ] {
            let error = await #expect(throws: PostgresError.self) { try await load(text) }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
        let (rows, _) = try await load("1;\n2;\n") { form in
            (form.columns, form.delimiter, form.skipped) = (["a", "x"], UInt8(ascii: ";"), ["x"])
        }
        #expect(rows == 2)
    }

    @Test func `a file of another encoding is understood`() async throws {
        try await execute(place, "CREATE TABLE t (a text)")
        try await withTemporaryDirectory { directory in
            let path = directory + "/t.csv"
            try Data([0x61, 0x0A, 0xE9, 0x0A]).write(to: URL(filePath: path))
            let shape = try await GeneratedRows.table(named: "t", at: place)
            var form = CSVLoad.Form()
            form.encoding = "LATIN1"
            _ = try await CSVLoad(path: path, into: shape, form, limit: 0).run(at: place) { _ in
            } reject: { _ in
            }
        }
        #expect(try await ask(place, "SELECT a FROM t") == "é")
    }
}
