import Foundation
import Postgres
import TestSupport
import Testing

@testable import Sync

@Suite(.databasePair) struct VerifyKeysTests {
    private let table = QualifiedName(schema: "public", name: "t")

    /// A key as the stream brings it: each value's send function, or its text.
    private func keys(_ sql: String, columns: Int, format: ValueFormat) async throws -> [[UInt8]] {
        try await withNeutralConnection(to: DatabasePair.current.source) { source in
            try source.query(SQL(trusting: sql)).map { row in
                (0..<columns).flatMap { column -> [UInt8] in
                    let text = row.text(column) ?? ""
                    let bytes = format == .binary ? Self.bytes(hex: text) : Array(text.utf8)
                    return withUnsafeBytes(of: Int32(bytes.count).bigEndian, Array.init) + bytes
                }
            }
        }
    }

    private static func bytes(hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }

    struct Key: Sendable, CustomTestStringConvertible {
        let columns: String
        let values: String
        let binary: String
        let text: String
        let count: Int
        var testDescription: String { columns }
    }

    static let keyTypes = [
        Key(columns: "k int PRIMARY KEY", values: "n", binary: "encode(int4send(k), 'hex')", text: "k", count: 1),
        Key(
            columns: "k text PRIMARY KEY",
            values: "'ä\"\\,{}' || n",
            binary: "encode(textsend(k), 'hex')",
            text: "k",
            count: 1
        ),
        Key(
            columns: "k uuid PRIMARY KEY",
            values: "md5(n::text)::uuid",
            binary: "encode(uuid_send(k), 'hex')",
            text: "k",
            count: 1
        ),
        Key(
            columns: "k int[] PRIMARY KEY",
            values: "ARRAY[n, n]",
            binary: "encode(array_send(k), 'hex')",
            text: "k",
            count: 1
        ),
        Key(
            columns: "k ltree PRIMARY KEY",
            values: "('a.b' || n)::ltree",
            binary: "encode(public.ltree_send(k), 'hex')",
            text: "k",
            count: 1
        ),
        Key(
            columns: "l numeric, m mood, k timestamptz, PRIMARY KEY (k, l, m)",
            values: "n / 3.0, 'ok', timestamptz '2024-01-01' + n * interval '1 s'",
            binary: "encode(timestamptz_send(k), 'hex'), encode(numeric_send(l), 'hex'), encode(enum_send(m), 'hex')",
            text: "k, l, m",
            count: 3
        ),
    ]

    @Test(arguments: keyTypes, [false, true])
    func `only the rows of the keys are compared`(key: Key, isBinary: Bool) async throws {
        let format: ValueFormat = isBinary ? .binary : .text
        try await onTarget("CREATE TYPE other AS ENUM ('x')")
        try await onBoth("CREATE EXTENSION IF NOT EXISTS ltree; CREATE TYPE mood AS ENUM ('sad', 'ok')")
        try await onBoth("CREATE TABLE t (\(key.columns), gone int, v text)")
        try await onBoth("ALTER TABLE t DROP COLUMN gone")
        let names = key.count == 1 ? "k" : "l, m, k"
        try await onBoth("INSERT INTO t (\(names), v) SELECT \(key.values), 'v' || n FROM generate_series(1, 100) n")
        let values = isBinary ? key.binary : key.text
        let some = try await keys(
            "SELECT \(values) FROM public.t WHERE right(v, 1) = '5'",
            columns: key.count,
            format: format
        )
        #expect(some.count == 10)
        try await onTarget("UPDATE t SET v = 'other' WHERE v = 'v4'")
        let equal = try await comparison().compareKeys([table: .keys(some)], isBinary: format == .binary)
        #expect(equal.equal && equal.tables[0].sourceRows == 10 && equal.tables[0].targetRows == 10)
        try await onTarget("UPDATE t SET v = 'other' WHERE v = 'v5'; DELETE FROM t WHERE v IN ('v15', 'v16')")
        let found = try await comparison().compareKeys([table: .keys(some)], isBinary: format == .binary).tables[0]
        #expect((found.sourceRows, found.targetRows) == (10, 9))
        #expect((found.differences.onlyInSource, found.differences.different) == (1, 1))
        #expect(found.differences.keys.allSatisfy { $0.key.count == key.count })
        let all = try await comparison().compareKeys([table: .everything], isBinary: format == .binary).tables[0]
        #expect((all.differences.onlyInSource, all.differences.different) == (2, 2))
    }

    @Test func `no keys are equal, and ten thousand are compared at once`() async throws {
        try await onBoth("CREATE TABLE t (id int8 PRIMARY KEY, v text)")
        try await onBoth("INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, 100000) n; ANALYZE t")
        #expect(try await comparison().compareKeys([table: .keys([])], isBinary: true).equal)
        let many = try await keys(
            "SELECT encode(int8send(id), 'hex') FROM public.t WHERE id % 4 = 0",
            columns: 1,
            format: .binary
        )
        let verdict = try await comparison().compareKeys([table: .keys(many)], isBinary: true)
        #expect(verdict.equal && verdict.tables[0].sourceRows == 25_000)
        try await onTarget("UPDATE t SET v = '' WHERE id = 99996")
        let found = try await comparison().compareKeys([table: .keys(many)], isBinary: true).tables[0]
        #expect(found.differences.keys == [.init(key: ["id": "99996"], kind: .different)])
    }

    /// What Swift takes for one character: a line's two end characters, a backslash with an accent after it.
    @Test func `a key is listed as COPY writes it`() async throws {
        let keys = ["a\r\nb": "a\\r\\nb", "c\\\u{301}": "c\\\u{301}", "d\\\\": "d\\\\", "e\t\u{301}": "e\\t\u{301}"]
        try await onBoth("CREATE TABLE t (id text PRIMARY KEY)")
        try await withConnection(to: DatabasePair.current.source) { source in
            for key in keys.keys { _ = try source.query("INSERT INTO t VALUES ($1)", key) }
        }
        let everything = try await comparison().compareKeys([table: .everything], isBinary: true).tables[0]
        let all = try await compare().tables[0]
        for found in [everything, all] {
            let listed = found.differences.keys.compactMap { $0.key["id"] }
            #expect(Set(listed.map { Array($0.utf8) }) == Set(keys.values.map { Array($0.utf8) }))
        }
    }
}
