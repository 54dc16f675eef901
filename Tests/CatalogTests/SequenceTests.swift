import Catalog
import Postgres
import TestSupport
import Testing

/// How far a sequence is set ahead.
struct SequenceTests {
    @Test(
        .databasePair,
        arguments: [
            ("INCREMENT 1", 20, 5, 1020), ("INCREMENT 1", 20, 500, 5020), ("INCREMENT -1", -20, 5, -1020),
            ("INCREMENT 10", 20, 5, 10_020), ("INCREMENT 1 MAXVALUE 100", 20, 5, 60),
            ("INCREMENT 1 MAXVALUE 21", 20, 5, nil),
            ("INCREMENT 1 MAXVALUE 100000", 20, 5000, 1020), ("INCREMENT 1 MINVALUE -50 START -20", -20, 5, 980),
            ("INCREMENT -1 MAXVALUE 50 START 20", 20, 5, -980),
        ] as [(SQL, Int64, Int64, Int64?)]
    )
    func `a sequence is set ahead by a thousand values, and never beyond half-way to its end`(
        _ options: SQL,
        _ last: Int64,
        _ drawn: Int64,
        _ expected: Int64?
    ) async throws {
        let value = try await withConnection(to: DatabasePair.current.source) { connection in
            try connection.execute("CREATE SEQUENCE s \(options)")
            try connection.query("SELECT setval('s', $1)", last)
            return try Sequence.readAll(connection).first?.value(ahead: drawn)
        }
        #expect(value == expected)
    }
}
