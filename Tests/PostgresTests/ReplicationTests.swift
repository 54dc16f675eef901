import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.temporaryDatabase)
struct ReplicationTests {
    @Test func `the snapshot of a slot shows what came before it`() async throws {
        let target = TemporaryDatabase.current
        try await withConnection(to: target) { session in
            try session.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
            try await withConnection(to: target.with("replication", "database")) { replication in
                let slot = try replication.createSlot(Self.name(), isTemporary: true)
                try session.execute("INSERT INTO t VALUES (2)")
                try await session.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ") {
                    try session.execute("SET TRANSACTION SNAPSHOT \(literal: slot.snapshot)")
                    #expect(try session.query("SELECT count(*) n FROM t")[0]("n") as Int == 1)
                }
                #expect(slot.consistentPoint > .zero)
            }
            // The server drops the slot after we have gone, and no database before that.
            try session.wait(
                until: "SELECT count(*) = 0 FROM pg_replication_slots WHERE database = current_database()"
            )
        }
    }

    @Test func `every kind of change is streamed once`() async throws {
        let target = TemporaryDatabase.current
        let name = Self.name()
        try await withConnection(to: target) { session in
            try session.execute("CREATE TABLE t (id int PRIMARY KEY)")
            try session.execute("CREATE PUBLICATION \(Identifier("it's")) FOR TABLE t")
            try await withConnection(to: target.with("replication", "database")) { replication in
                _ = try replication.createSlot(name, isTemporary: false)
            }
            do {
                try session.execute("INSERT INTO t VALUES (1)")
                try session.execute("UPDATE t SET id = 2")
                try session.execute("DELETE FROM t")
                try session.execute("TRUNCATE t")
                try session.execute("SELECT pg_logical_emit_message(true, 'p', 'end')")
                let end = try await Self.stream(name, from: .zero, in: target) { $0.suffix(2) == ["M", "C"] }
                let kinds = end.kinds.filter { "IUDTM".contains($0) }
                #expect(kinds == ["I", "U", "D", "T", "M"])
                try session.wait(
                    until: """
                        SELECT confirmed_flush_lsn >= \(end.position) AND NOT active FROM pg_replication_slots \
                        WHERE slot_name = \(literal: name.name)
                        """
                )
                try session.execute("INSERT INTO t VALUES (7)")
                let later = try await Self.stream(name, from: end.position, in: target) { $0.last == "C" }
                #expect(later.kinds.filter { "IUDTM".contains($0) } == ["I"])
            } catch {
                Issue.record(error)
            }
            try session.wait(
                until: "SELECT NOT active FROM pg_replication_slots WHERE slot_name = \(literal: name.name)"
            )
            try session.query("SELECT pg_drop_replication_slot($1)", name)
        }
    }

    @Test func `a query of a slot brings what a stream would, up to a position, once`() async throws {
        let target = TemporaryDatabase.current
        let name = Self.name()
        try await withConnection(to: target) { session in
            try session.execute(
                """
                CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
                CREATE PUBLICATION \(Identifier("it's")) FOR TABLE t
                """
            )
            try session.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
            try session.execute("INSERT INTO t VALUES (1, repeat('x', 3000000)), (2, 'é')")
            let end: LSN = try session.query("SELECT pg_current_wal_insert_lsn() AS lsn")[0]("lsn")
            try session.execute("DELETE FROM t")
            func read(
                upTo end: LSN,
                limit: Int = 1_000_000,
                patience: Duration = .seconds(60)
            ) throws -> (kinds: [Character], bytes: Int)? {
                var (kinds, bytes): ([Character], Int) = ([], 0)
                let messages = try session.readSlot(
                    name,
                    publication: "it's",
                    upTo: end,
                    limit: limit,
                    isBinary: true,
                    largeChange: 1 << 20,
                    patience: patience
                ) { message throws(PostgresError) in
                    switch message {
                    case .change(_, let payload): kinds.append(Character(UnicodeScalar(payload[0])))
                    case .piece(_, let piece, let offset, let length):
                        if offset == 0 { kinds.append(Character(UnicodeScalar(piece[0]))) }
                        #expect(offset + piece.count <= length)
                        bytes += piece.count
                    case .keepalive: Issue.record("a query has none")
                    }
                }
                #expect(messages == nil || messages == kinds.count)
                return messages.map { _ in (kinds, bytes) }
            }
            let (kinds, bytes) = try #require(try read(upTo: end))
            #expect(kinds == ["B", "R", "I", "I", "C"])
            #expect(bytes > 3_000_000 && bytes < 3_000_100)
            #expect(try read(upTo: end)?.kinds == [])
            try session.execute("INSERT INTO t VALUES (-1)")
            let all: LSN = try session.query("SELECT pg_current_wal_insert_lsn() AS lsn")[0]("lsn")
            // A transaction comes whole.
            #expect(try read(upTo: all, limit: 2)?.kinds == ["B", "R", "D", "D", "C"])
            #expect(try read(upTo: all)?.kinds == ["B", "R", "I", "C"])
            try session.execute("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 200000) i")
            let late: LSN = try session.query("SELECT pg_current_wal_insert_lsn() AS lsn")[0]("lsn")
            #expect(try read(upTo: late, patience: .milliseconds(1)) == nil)
            #expect(try read(upTo: late)?.kinds.count { $0 == "I" } == 200_000)
            try session.query("SELECT pg_drop_replication_slot($1)", name)
        }
    }

    private static func name() -> Identifier { Identifier("martlet_\(UInt64.random(in: 0 ... .max))") }

    /// Streams until `isDone` says so, then confirms everything and closes the session.
    private static func stream(
        _ slot: Identifier,
        from start: LSN,
        in target: ConnectionString,
        until isDone: @Sendable ([Character]) -> Bool
    ) async throws -> (kinds: [Character], position: LSN) {
        try await withConnection(to: target.with("replication", "database")) { replication in
            let stream = try replication.startReplication(slot: slot, publication: "it's", from: start, isBinary: false)
            var kinds: [Character] = []
            var position = LSN.zero
            var keepalives = 0
            let deadline = ContinuousClock.now + .seconds(60)
            func receive(until isEnough: () -> Bool) throws {
                while !isEnough() {
                    guard ContinuousClock.now < deadline else { throw PostgresError("streamed only \(kinds)") }
                    _ = try stream.receive(timeout: 100) { message throws(PostgresError) in
                        switch message {
                        case .change(_, let payload):
                            kinds.append(Character(UnicodeScalar(payload[0])))
                            // 'C', flags, start of the commit record, end of the transaction.
                            if payload[0] == UInt8(ascii: "C") {
                                let end = payload.loadUnaligned(fromByteOffset: 10, as: UInt64.self)
                                position = LSN(UInt64(bigEndian: end))
                            }
                        case .piece: break
                        case .keepalive:
                            keepalives += 1
                        }
                    }
                }
            }
            try receive { isDone(kinds) && keepalives > 0 }
            let before = keepalives
            try stream.sendStatus(received: position, flushed: position, wantsReply: true)
            // Who goes with something unread takes along what the server has not read yet.
            try receive { keepalives > before }
            return (kinds, position)
        }
    }
}
