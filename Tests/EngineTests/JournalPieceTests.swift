import Engine
import Foundation
import Postgres
import TestSupport
import Testing

/// A claim counts once, and only as long as nobody has withdrawn it, whatever the sessions of a worker still do.
@Suite(.temporaryDatabase)
struct JournalPieceTests {
    private static let title = Journal.PieceTitle(.copy, QualifiedName(schema: "a\"b", name: "c'd"), part: 2, of: 3)
    private static let work = Data(#"{"é": "\" \\"}"#.utf8)
    private static let amount = Journal.Amount(rows: 7, bytes: 70)

    /// A leader and a worker that has joined and asks.
    private func withClaim(
        _ body: (_ leader: Connection, _ worker: Connection, _ id: Int, _ claim: Int) async throws -> Void
    ) async throws {
        try await withNeutralConnection(to: TemporaryDatabase.current) { leader in
            try await Journal.create(JournalTests.migration, on: leader)
            let load = Journal.OpenLoad(
                run: 5,
                snapshot: "1-2-3",
                encoding: "UTF8",
                settings: "SET jit = off",
                sourceRole: "a",
                targetRole: "b"
            )
            #expect(try Journal.joinable(of: 5, on: leader) == .notYet)
            try Journal.open(load, on: leader)
            #expect(try Journal.joinable(of: 5, on: leader) == .open(load))
            #expect(try Journal.joinable(of: 6, on: leader) == .notYet)
            try await withNeutralConnection(to: TemporaryDatabase.current) { worker in
                let id = try Journal.join(run: 5, host: "h", pid: 1, sessions: 1, on: worker)
                let session = Journal.WorkSession(worker: id, number: 0, target: try worker.backend(), source: nil)
                let claim = try Journal.ask(session, run: 5, on: worker)
                #expect(try Journal.assignment(for: claim, on: worker) == .none)
                try await body(leader, worker, id, claim)
            }
        }
    }

    private func give(_ leader: Connection) throws -> Bool {
        let asked = try #require(try Journal.pieces(of: 5, claims: [], on: leader).first)
        return try Journal.give(Self.title, Self.work, to: asked, on: leader)
    }

    @Test func `what is given is found, done once, and the next is asked for`() async throws {
        try await withClaim { leader, worker, id, claim in
            #expect(try give(leader))
            #expect(try Journal.pieces(of: 5, claims: [], on: leader).isEmpty)
            guard case .piece(let title, let work, _) = try Journal.assignment(for: claim, on: worker) else {
                Issue.record("nothing was given")
                return
            }
            #expect(title == Self.title)
            #expect(try JSONDecoder().decode([String: String].self, from: work) == ["é": "\" \\"])
            let next = try await worker.transaction { try Journal.finish(claim, Self.amount, on: worker) }
            let states = try Journal.pieces(of: 5, claims: [claim], on: leader)
            #expect(states.first { $0.id == claim }?.state == .done)
            #expect(states.first { $0.id == claim }?.amount == Self.amount)
            #expect(states.first { $0.id == next }?.worker == id)
            #expect(throws: Journal.claimLost) { try Journal.finish(claim, Self.amount, on: worker) }
            try Journal.closeLoad(of: 5, on: leader)
            #expect(try Journal.assignment(for: next, on: worker) == .loadIsOver)
            #expect(try Journal.joinable(of: 5, on: leader) == .over)
        }
    }

    @Test func `a claim that was withdrawn cannot be done`() async throws {
        try await withClaim { leader, worker, id, claim in
            try #require(try give(leader))
            let withdrawn = try await Journal.withdraw(from: id, on: leader)
            #expect(withdrawn == [claim])
            #expect(throws: Journal.claimLost) { try Journal.finish(claim, Self.amount, on: worker) }
            #expect(throws: Journal.claimLost) { try Journal.assignment(for: claim, on: worker) }
            #expect(try await Journal.withdraw(from: id, on: leader) == [])
        }
    }

    @Test func `a withdrawal waits for a commit that is under way`() async throws {
        try await withClaim { leader, worker, id, claim in
            #expect(try give(leader))
            try await worker.transaction {
                let next = try Journal.finish(claim, Self.amount, on: worker)
                #expect(next > claim)
                let error = await #expect(throws: PostgresError.self) {
                    try await Journal.withdraw(from: id, on: leader)
                }
                #expect(error?.sqlState == "55P03")
            }
            // Only what it has asked for since.
            #expect(try await Journal.withdraw(from: id, on: leader) != [claim])
            let states = try Journal.pieces(of: 5, claims: [claim], on: leader)
            #expect(states.first?.state == .done)
        }
    }

    @Test func `no part of a load is done twice`() async throws {
        try await withClaim { leader, worker, _, claim in
            #expect(try give(leader))
            try Journal.record(Self.title, Self.amount, run: 5, on: leader)
            let error = #expect(throws: PostgresError.self) { try Journal.finish(claim, Self.amount, on: worker) }
            #expect(error?.sqlState == "23505")
            try Journal.record(Self.title, Self.amount, run: 6, on: leader)
        }
    }

    @Test func `a worker is known by its heartbeat, and by its session`() async throws {
        try await withClaim { leader, worker, id, claim in
            let pace = Journal.Pace(rate: 1 << 20, isHeld: true)
            #expect(try Journal.beat(id, progress: [:], on: worker) == Journal.Pace(rate: nil, isHeld: false))
            try Journal.set(pace, of: id, on: leader)
            #expect(try Journal.beat(id, progress: [claim: Self.amount], on: worker) == pace)
            let known = try #require(try Journal.workers(of: 5, known: [], on: leader).first)
            #expect(known.progress == [claim: Self.amount] && known.isConnected && !known.isEnded && known.silence < 60)
            let backends = try Journal.backends(of: id, on: leader)
            #expect(backends.target == [try worker.backend()] && backends.source.isEmpty)
            let stranger = Backend(pid: worker.processID, start: "2001-01-01 00:00:00+00")
            #expect(try leader.terminate([stranger]) == 0)
            try await eventually("its backend ends") { try leader.terminate(backends.target) == 0 }
            let gone = try #require(try Journal.workers(of: 5, known: [], on: leader).first)
            #expect(!gone.isConnected)
            try Journal.leave(id, on: leader)
            #expect(try Journal.beat(id, progress: [:], on: leader) == nil)
            #expect(try Journal.workers(of: 5, known: [], on: leader).isEmpty)
            #expect(try Journal.workers(of: 5, known: [id], on: leader).first?.isEnded == true)
            #expect(try Journal.pieces(of: 5, claims: [claim], on: leader).map(\.state) == [.returned])
        }
    }
}
