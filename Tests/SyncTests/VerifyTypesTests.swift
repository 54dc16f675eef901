import Postgres
import TestSupport
import Testing

@testable import Sync

@Suite(.databasePair) struct VerifyTypesTests {
    /// A type, one of its values, and another that differs as little as can be.
    struct Pair: Sendable, CustomTestStringConvertible {
        let type: String
        let value: String
        let other: String
        var strictOnly = false
        var testDescription: String { "\(type): \(value) against \(other)" }
    }

    static let types = """
        CREATE EXTENSION IF NOT EXISTS citext; CREATE EXTENSION IF NOT EXISTS hstore;
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
        CREATE TYPE spot AS (x int, m mood, note text);
        CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
        CREATE DOMAIN four AS int[] CHECK (cardinality(VALUE) = 4);
        """

    static let pairs: [Pair] = [
        Pair(type: "bool", value: "t", other: "f"),
        Pair(type: "int2", value: "1", other: "-1"),
        Pair(type: "int4", value: "1", other: "2"),
        Pair(type: "int8", value: "1", other: "4294967296"),
        Pair(type: "oid", value: "1", other: "2"),
        Pair(type: "float4", value: "1.5", other: "1.5000001"),
        Pair(type: "float8", value: "0.1", other: "0.10000000000000002"),
        Pair(type: "float8", value: "NaN", other: "Infinity"),
        Pair(type: "float8", value: "0", other: "-0", strictOnly: true),
        Pair(type: "numeric", value: "1", other: "1.000000000000000000001"),
        Pair(type: "numeric", value: "1.0", other: "1.00"),
        Pair(type: "numeric", value: "100.00", other: "-100.00"),
        Pair(type: "numeric", value: "NaN", other: "Infinity"),
        Pair(type: "numeric", value: "-Infinity", other: "Infinity"),
        Pair(type: "money", value: "1.00", other: "1.01"),
        Pair(type: "text", value: "a", other: "b"),
        Pair(type: "text", value: "", other: " "),
        Pair(type: "varchar(10)", value: "ä", other: "a"),
        Pair(type: "char(10)", value: "a", other: "A"),
        Pair(type: "\"char\"", value: "a", other: "b"),
        Pair(type: "name", value: "a", other: "b"),
        Pair(type: "bytea", value: "\\x00", other: "\\x0000"),
        Pair(
            type: "uuid",
            value: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            other: "6ba7b810-9dad-11d1-80b4-00c04fd430c9"
        ),
        Pair(type: "date", value: "infinity", other: "-infinity"),
        Pair(type: "date", value: "5874897-12-31", other: "4713-01-01 BC"),
        Pair(type: "time", value: "12:00", other: "12:00:00.000001"),
        Pair(type: "timetz", value: "12:00+00", other: "13:00+01"),
        Pair(type: "timestamp", value: "2024-01-01", other: "2024-01-01 00:00:00.000001"),
        Pair(type: "timestamp", value: "infinity", other: "-infinity"),
        Pair(type: "timestamptz", value: "294276-12-31 23:59:59+00", other: "infinity"),
        Pair(type: "timestamptz", value: "4713-01-01 00:00:00+00 BC", other: "2024-01-01 00:00:00+00"),
        Pair(type: "interval", value: "1 mon", other: "30 days"),
        Pair(type: "bpchar", value: "a", other: "a "),
        Pair(type: "inet", value: "10.0.0.1/8", other: "10.0.0.1/9"),
        Pair(type: "cidr", value: "10.0.0.0/8", other: "10.0.0.0/9"),
        Pair(type: "macaddr", value: "08:00:2b:01:02:03", other: "08:00:2b:01:02:04"),
        Pair(type: "macaddr8", value: "08:00:2b:01:02:03:04:05", other: "08:00:2b:01:02:03:04:06"),
        Pair(type: "bit(4)", value: "1010", other: "1011"),
        Pair(type: "bit varying", value: "1", other: "10"),
        Pair(type: "point", value: "(1,2)", other: "(1,3)"),
        Pair(type: "polygon", value: "((0,0),(1,1))", other: "((0,0),(1,2))"),
        Pair(type: "json", value: "{\"a\": 1}", other: "{\"a\":1}"),
        Pair(type: "jsonb", value: "[[1], 2]", other: "[[1, 2]]"),
        Pair(type: "jsonb", value: "1.0", other: "1.00"),
        Pair(type: "xml", value: "<a/>", other: "<b/>"),
        Pair(type: "tsvector", value: "a:1", other: "a:2"),
        Pair(type: "tsquery", value: "a & b", other: "a | b"),
        Pair(type: "pg_lsn", value: "0/1", other: "0/2"),
        Pair(type: "int4range", value: "[1,2)", other: "empty"),
        Pair(type: "numrange", value: "[1,2)", other: "[1,2]"),
        Pair(type: "tstzrange", value: "[2024-01-01,)", other: "(,)"),
        Pair(type: "datemultirange", value: "{[2024-01-01,2024-01-02)}", other: "{}"),
        Pair(type: "int4[]", value: "{1,2,3,4}", other: "{{1,2},{3,4}}"),
        Pair(type: "int4[]", value: "{1}", other: "[0:0]={1}"),
        Pair(type: "int4[]", value: "{}", other: "{NULL}"),
        Pair(type: "int8[]", value: "{1}", other: "{4294967296}"),
        Pair(type: "text[]", value: "{a,NULL}", other: "{a,\"NULL\"}"),
        Pair(type: "numeric[]", value: "{NaN}", other: "{Infinity}"),
        Pair(type: "mood", value: "sad", other: "happy"),
        Pair(type: "mood[]", value: "{sad,ok}", other: "{ok,sad}"),
        Pair(type: "spot", value: "(1,sad,)", other: "(1,sad,\"\")"),
        Pair(type: "spot[]", value: "{\"(1,sad,a)\"}", other: "{\"(1,ok,a)\"}"),
        Pair(type: "email", value: "a@b", other: "a@B"),
        Pair(type: "four", value: "{1,2,3,4}", other: "{{1,2},{3,4}}"),
        Pair(type: "citext", value: "a", other: "A"),
        Pair(type: "hstore", value: "a=>1", other: "a=>NULL"),
        Pair(type: "regclass", value: "pg_class", other: "pg_type"),
    ]

    /// One table with all of them; each column holds its value in row 1, NULL in row 2, the other in row 3.
    private static func fill(_ setting: (place: Int, value: String)? = nil) -> String {
        let columns = pairs.enumerated().map { "c\($0) \($1.type)" }.joined(separator: ", ")
        func row(_ id: Int, _ value: (Pair) -> String) -> String {
            let texts = pairs.enumerated().map { place, pair -> String in
                if id == 1, let setting, setting.place == place { return quoted(setting.value) }
                return value(pair)
            }
            return "(\(id), \(texts.joined(separator: ", ")))"
        }
        let rows = [row(1) { quoted($0.value) }, row(2) { _ in "NULL" }, row(3) { quoted($0.other) }]
        return """
            CREATE TABLE everything (id int PRIMARY KEY, \(columns));
            INSERT INTO everything VALUES \(rows.joined(separator: ", "))
            """
    }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }

    @Test(arguments: [false, true])
    func `equal values of every type are equal`(isStrict: Bool) async throws {
        // The target's OIDs are others.
        try await onTarget("CREATE TYPE filler1 AS ENUM ('x'); CREATE TYPE filler2 AS (a int)")
        try await onBoth(Self.types)
        try await onSource(Self.fill())
        try await onTarget(Self.fill())
        let verdict = try await compare { $0.isStrict = isStrict }
        #expect(verdict.equal, "\(verdict.lines)")
        #expect(verdict.method == (isStrict ? .text : .hash))
        #expect(verdict.tables.map(\.sourceRows) == [3])
        if !isStrict {
            #expect(Set(verdict.typesByText).isSuperset(of: ["jsonb", "interval", "public.mood", "public.spot"]))
            #expect(!verdict.typesByText.contains { ["int8", "numeric", "_int4", "bytea"].contains($0) })
        }
    }

    @Test func `another value is found in every type`() async throws {
        try await onBoth(Self.types)
        try await onSource(Self.fill())
        try await withConnection(to: DatabasePair.current.target) { target in
            for (place, pair) in Self.pairs.enumerated() {
                try target.execute("DROP TABLE IF EXISTS everything")
                try target.execute(SQL(trusting: Self.fill((place, pair.other))))
                let verdict = try await compare()
                #expect(verdict.equal == pair.strictOnly, "\(pair.testDescription)")
                guard !pair.strictOnly else {
                    #expect(try await !compare { $0.isStrict = true }.equal, "\(pair.testDescription)")
                    continue
                }
                #expect(verdict.tables[0].differences.keys == [.init(key: ["id": "1"], kind: .different)])
            }
        }
    }

    @Test func `values cannot change places`() async throws {
        try await onBoth(Self.types)
        for (place, pair) in Self.pairs.enumerated() where !pair.strictOnly {
            let (a, b) = (Self.quoted(pair.value), Self.quoted(pair.other))
            try await onBoth("CREATE TABLE t\(place) (id int PRIMARY KEY, a \(pair.type), b \(pair.type))")
            try await onSource("INSERT INTO t\(place) VALUES (1, \(a), \(b)), (2, NULL, \(a)), (3, \(a), NULL)")
            try await onTarget("INSERT INTO t\(place) VALUES (1, \(b), \(a)), (2, \(a), NULL), (3, NULL, \(a))")
        }
        let verdict = try await compare()
        for table in verdict.tables { #expect(table.differences.different == 3, "\(table.lines)") }
    }

    @Test func `rows cannot swap a value`() async throws {
        try await onBoth(Self.types)
        for (place, pair) in Self.pairs.enumerated() where !pair.strictOnly {
            let (a, b) = (Self.quoted(pair.value), Self.quoted(pair.other))
            try await onBoth("CREATE TABLE t\(place) (id date PRIMARY KEY, a \(pair.type))")
            let (one, two, three) = ("'2024-01-01'", "'2024-01-02'", "'2024-01-03'")
            try await onSource("INSERT INTO t\(place) VALUES (\(one), \(a)), (\(two), \(b)), (\(three), NULL)")
            try await onTarget("INSERT INTO t\(place) VALUES (\(one), \(b)), (\(two), NULL), (\(three), \(a))")
        }
        let verdict = try await compare()
        for table in verdict.tables { #expect(table.differences.different == 3, "\(table.lines)") }
    }

    @Test func `a type that the other side has otherwise goes by text`() async throws {
        try await onSource("CREATE TABLE t (id int PRIMARY KEY, n int, s varchar(10))")
        try await onTarget("CREATE TABLE t (id int PRIMARY KEY, n int8, s text)")
        try await onBoth("INSERT INTO t VALUES (1, 5, 'a')")
        #expect(try await compare().equal)
    }
}
