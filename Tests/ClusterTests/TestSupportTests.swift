import Postgres
import TestSupport
import Testing

struct TestSupportTests {
    @Test(.temporaryDatabase) func `each test has an empty database of its own`() async throws {
        let tables = SQL("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        #expect(try await ask(TemporaryDatabase.current, tables) == "0")
    }

    @Test(.databasePair) func `a pair is on two servers`() async throws {
        #expect(DatabasePair.current.source["host"] != DatabasePair.current.target["host"])
    }

    @Test(.databasePair(target: 18)) func `a pair may cross majors`() async throws {
        try await withConnection(to: DatabasePair.current.target) { #expect($0.majorVersion == 18) }
    }

    @Test(.temporaryDatabase) func `a database with a slot is dropped too`() async throws {
        let slot = "left_\(UInt32.random(in: 0 ... .max))"
        let make = SQL("SELECT pg_create_logical_replication_slot(\(literal: slot), 'pgoutput')")
        try await execute(TemporaryDatabase.current, make)
    }
}
