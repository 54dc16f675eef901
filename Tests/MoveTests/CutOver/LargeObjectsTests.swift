import Catalog
import Postgres
import TestSupport
import Testing

@testable import Engine
@testable import Move

/// Large objects that are written to, or dropped, while they are copied.
@Suite(.databasePair, .timeLimit(.minutes(3)))
struct LargeObjectsTests {
    private var source: ConnectionString { DatabasePair.current.source }
    private var target: ConnectionString { DatabasePair.current.target }

    private func objects(_ throttle: Throttle = .none) -> LargeObjects {
        LargeObjects(options: SchemaArchive.Options(), jobs: 1, throttle: throttle)
    }

    private func copy() async throws -> LargeObjects.Mark {
        try await withNeutralConnection(to: source) { from in
            try await withNeutralConnection(to: target) { to in try await objects().copy(from: from, to: to) }
        }
    }

    private func copy(since mark: LargeObjects.Mark) async throws {
        try await withNeutralConnection(to: source) { from in
            try await withNeutralConnection(to: target) { to in
                try await objects().copy(from: from, to: to, since: mark)
            }
        }
    }

    private func contents(_ place: ConnectionString) async throws -> String? {
        try await ask(
            place,
            """
            SELECT string_agg(format('%s %s', oid, convert_from(lo_get(oid), 'UTF8')), '; ' ORDER BY oid)
              FROM pg_largeobject_metadata
            """
        )
    }

    @Test func `what was open at the mark, and what subtransactions have written, is not taken for equal`() async throws
    {
        try await execute(source, "SELECT lo_from_bytea(70000 + i, 'old') FROM generate_series(1, 4) AS i")
        let mark = try await withConnection(to: source) { writer in
            try writer.execute(
                """
                BEGIN; SELECT txid_current(); SAVEPOINT a; SELECT lo_put(70001, 0, 'new'); RELEASE a;
                SAVEPOINT b; SELECT lo_put(70004, 0, 'not'); ROLLBACK TO b
                """
            )
            // Others end in the meantime, so that the writer is not the newest one.
            for _ in 0..<3 { try await execute(source, "CREATE TABLE t (); DROP TABLE t") }
            let mark = try await copy()
            try writer.execute("SELECT lo_put(70002, 0, 'too'); COMMIT")
            return mark
        }
        try await execute(source, "VACUUM FREEZE pg_largeobject")
        #expect(try await contents(target) == "70001 old; 70002 old; 70003 old; 70004 old")
        try await copy(since: mark)
        #expect(try await contents(target) == "70001 new; 70002 too; 70003 old; 70004 old")
    }

    @Test func `one that is dropped on the source between being listed and being read is left out`() async throws {
        try await execute(
            source,
            "SELECT lo_from_bytea(70000 + i, 'old') FROM generate_series(1, 3) AS i; COMMENT ON LARGE OBJECT 70002 IS 'x'"
        )
        try await drop(70002, whenTargetWasAsked: "quote_ident")
        #expect(try await contents(target) == "70001 old; 70003 old")
        // Now they are equal, and are hashed.
        try await drop(70003, whenTargetWasAsked: "martlet.before")
        #expect(try await contents(target) == "70001 old")
    }

    /// Copies, and drops one on the source while the copy is held.
    private func drop(_ oid: Int, whenTargetWasAsked question: String) async throws {
        let throttle = Throttle()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await withNeutralConnection(to: source) { from in
                    try await withNeutralConnection(to: target, application: "held") { to in
                        try await objects(throttle).copy(from: from, to: to)
                    }
                }
            }
            try await eventually("the copy is held") {
                try await ask(
                    target,
                    """
                    SELECT count(*) FROM pg_stat_activity WHERE application_name = 'held' AND state = 'idle'
                       AND datname = current_database() AND query LIKE \(literal: "%\(question)%")
                    """
                ) == "1"
            }
            try await execute(source, "SELECT lo_unlink(\(oid))")
            throttle.note(paused: nil)
            try await group.waitForAll()
        }
    }

    @Test func `who has changed large objects is waited for, and who has read them is not`() async throws {
        try await execute(source, "SELECT lo_from_bytea(70001, 'old'), lo_from_bytea(70002, 'old')")
        let mark = try await copy()
        try await withConnection(to: source) { writer in
            try writer.execute("BEGIN; SELECT lo_get(70001)")
            try await copy(since: mark)
            for change in ["lo_put(70001, 0, 'new')", "lo_unlink(70002)"] {
                try writer.execute("ROLLBACK; BEGIN; SELECT \(SQL(trusting: change))")
                let error = await #expect(throws: PostgresError.self) { try await copy(since: mark) }
                #expect(error?.message == "transactions that have changed large objects do not end")
                #expect(error?.detail?.contains("\(writer.processID)") == true)
            }
            try writer.execute("SELECT lo_put(70001, 0, 'end')")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await copy(since: mark) }
                try await eventually("the copy waits") {
                    try await ask(
                        source,
                        """
                        SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%Which other transactions have written%'
                           AND datname = current_database() AND pid <> pg_backend_pid()
                        """
                    ) != "0"
                }
                try writer.execute("COMMIT")
                try await group.waitForAll()
            }
        }
        #expect(try await contents(target) == "70001 end")
    }
}
