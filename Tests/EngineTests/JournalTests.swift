import Engine
import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.temporaryDatabase)
struct JournalTests {
    static let migration = Journal.Migration(
        id: "k3x",
        phase: "load",
        source: "host=here",
        sourceSystem: "7",
        sourceDatabase: "sho\"p",
        plan: Data(#"{"lanes": 2}"#.utf8)
    )

    private func withJournal(_ body: (Connection) async throws -> Void) async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            #expect(try Journal.migration(on: connection) == nil)
            try await Journal.create(Self.migration, on: connection)
            try await body(connection)
        }
    }

    @Test func `a migration is read as it was written`() async throws {
        try await withJournal { connection in
            #expect(try Journal.migration(on: connection) == Self.migration)
            #expect(try Journal.enter("follow", from: "load", on: connection))
            try Journal.noteSlotStart(LSN(5), on: connection)
            try Journal.noteSchema(rest: "SELECT 'é'", on: connection)
            try Journal.noteConstraints(on: connection)
            let after = try #require(try Journal.migration(on: connection))
            #expect(after.phase == "follow" && after.slotStart == LSN(5) && after.hasSchema && after.hasConstraints)
            #expect(try Journal.restOfSchema(on: connection).text == "SELECT 'é'")
            await #expect(throws: PostgresError.self) { try await Journal.create(Self.migration, on: connection) }
            try Journal.remove(on: connection)
            try Journal.remove(on: connection)
            let isThere = try Journal.exists(on: connection)
            #expect(!isThere)
        }
    }

    @Test func `objects come back newest first until they are gone`() async throws {
        try await withJournal { connection in
            let slot = Journal.Object(side: .source, kind: "slot", name: "s", undo: "SELECT 1")
            let table = Journal.Object(side: .target, kind: "fence", name: #"we"ird"#, undo: "SELECT 'x'")
            for object in [slot, table, slot] { try Journal.note(object, on: connection) }
            #expect(try Journal.objects(on: connection) == [table, slot])
            #expect(try Journal.objects(kinds: ["slot"], on: connection) == [slot])
            try Journal.noteRemoved(table, on: connection)
            try Journal.noteRemoved(table, on: connection)
            #expect(try Journal.objects(on: connection) == [slot])
            try Journal.note(table, on: connection)
            #expect(try Journal.objects(on: connection).count == 2)
        }
    }

    @Test func `loads go from waiting to ready, and begin anew`() async throws {
        try await withJournal { connection in
            let name = QualifiedName(schema: "s", name: #"t"é"#)
            let load = Journal.TableLoad(table: name, sourceOID: 4_000_000_000, unit: 5, lane: 1, bytes: 1 << 40)
            try Journal.plan([load], on: connection)
            try Journal.plan([load], on: connection)
            #expect(try Journal.loads(on: connection) == [load])
            try Journal.begin(name, watermark: LSN(9), on: connection)
            try Journal.addPart(of: name, rows: 5, bytes: 50, isLast: false, on: connection)
            try Journal.addPart(of: name, rows: 6, bytes: 60, isLast: true, on: connection)
            var now = try Journal.loads(on: connection)[0]
            #expect(now.state == .loaded && now.rowsDone == 11 && now.bytesDone == 110 && now.watermark == LSN(9))
            try Journal.noteReady(name, on: connection)
            #expect(try Journal.loads(on: connection)[0].state == .ready)
            try Journal.begin(name, watermark: nil, on: connection)
            now = try Journal.loads(on: connection)[0]
            #expect(now.state == .loading && now.rowsDone == 0 && now.watermark == nil)
        }
    }

    @Test func `requests are taken once, in order, and answered`() async throws {
        try await withJournal { connection in
            let first = try Journal.ask("verify", arguments: Data("{}".utf8), on: connection)
            let second = try Journal.ask("cutover", arguments: Data(#"{"a": "b"}"#.utf8), on: connection)
            let taken = try #require(try Journal.takeRequest(on: connection))
            #expect(taken.id == first && taken.kind == "verify")
            #expect(try Journal.takeRequest(on: connection)?.id == second)
            #expect(try Journal.takeRequest(on: connection) == nil)
            #expect(try Journal.answer(to: first, on: connection) == nil)
            try Journal.answer(taken, isDone: true, content: Data("[1]".utf8), on: connection)
            let answer = try #require(try Journal.answer(to: first, on: connection))
            #expect(answer.isDone && answer.content == Data("[1]".utf8))
            try Journal.dropRequests(on: connection)
            #expect(try Journal.answer(to: second, on: connection)?.isDone == false)
        }
    }
}

@Suite(.temporaryDatabase)
struct LeaseAndGateTests {
    @Test func `one session has the lease, and the other is told who`() async throws {
        let place = TemporaryDatabase.current
        try await withConnection(to: place) { first in
            try await Journal.create(JournalTests.migration, on: first)
            let isTaken = try Lease.isTaken(on: first)
            #expect(!isTaken)
            let lease = try await Lease.take(of: "a", on: first)
            try lease.beat(on: first)
            try await withConnection(to: place) { second in
                let isSeen = try Lease.isTaken(on: second)
                #expect(isSeen)
                // What this process holds by another session it would take from itself.
                try second.execute("UPDATE martlet.lease SET instance = 'another'")
                let error = await #expect(throws: PostgresError.self) { _ = try await Lease.take(of: "a", on: second) }
                let (host, pid) = (ProcessInfo.processInfo.hostName, ProcessInfo.processInfo.processIdentifier)
                #expect(error?.detail == "It is process \(pid) on host \"\(host)\".")
            }
        }
        try await withConnection(to: place) { next in
            try await eventually("the lease ends with its session") { try !Lease.isTaken(on: next) }
            _ = try await Lease.take(of: "a", on: next)
        }
    }

    @Test func `a gate tries again, and at last names who is in the way`() async throws {
        let place = TemporaryDatabase.current
        try await execute(place, "CREATE TABLE t (id int)")
        try await withConnection(to: place, application: "the blocker") { blocker in
            try blocker.execute("BEGIN; LOCK TABLE t")
            try await withConnection(to: place) { connection in
                let gate = Gate(lockTimeout: .seconds(2), attempts: 2, pause: .milliseconds(10))
                var tries = 0
                let error = await #expect(throws: PostgresError.self) {
                    try await gate.pass(connection) {
                        tries += 1
                        try connection.execute("LOCK TABLE t")
                    }
                }
                #expect(tries == 2)
                #expect(error?.sqlState == "55P03")
                #expect(error?.detail?.contains("pid \(blocker.processID), application \"the blocker\"") == true)
                try blocker.execute("ROLLBACK")
                #expect(try await gate.pass(connection) { 7 } == 7)
            }
        }
    }
}
