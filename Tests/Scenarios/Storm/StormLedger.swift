import Foundation
import Postgres
import Synchronization
import TestSupport

/// What an application was told about its writes, kept outside of the databases.
final class StormLedger: Sendable {
    private struct State {
        var acknowledged: Set<[Int]> = []
        var refused: Set<[Int]> = []
        var unknown: Set<[Int]> = []
        var surprises: [String] = []
        var isOnTarget = false
        var isStopping = false
        var working = StormDatabase.writers
    }

    private let state = Mutex(State())
    private let world: StormWorld
    private let database: String

    init(_ world: StormWorld, database: String) {
        self.world = world
        self.database = database
    }

    /// Sends the application to a server.
    func move(toTarget isOnTarget: Bool) { state.withLock { $0.isOnTarget = isOnTarget } }

    /// Ends the writers after the operation they are in.
    func stop() { state.withLock { $0.isStopping = true } }

    /// Ends the writers, and waits until they have ended.
    func stopAndWait() async throws {
        stop()
        try await eventually("the writers end") { state.withLock { $0.working == 0 } }
    }

    /// How many writes were acknowledged.
    var count: Int { state.withLock { $0.acknowledged.count } }

    /// Failures of an operation that nothing explains.
    var surprises: [String] { state.withLock(\.surprises) }

    /// Writes as one session of the application until it is stopped.
    func write(as writer: Int, seed: UInt64) async throws {
        defer { state.withLock { $0.working -= 1 } }
        var generator = SeededGenerator(seed: seed &+ UInt64(writer))
        var number = 0
        while !state.withLock(\.isStopping) {
            let isOnTarget = state.withLock(\.isOnTarget)
            let place = (isOnTarget ? world.target : world.source).direct(database)
            do {
                try await withConnection(to: place, application: "storm writer") { connection in
                    while state.withLock({ $0.isOnTarget == isOnTarget && !$0.isStopping }) {
                        number += 1
                        let choice = Int.random(in: 0..<StormDatabase.kinds, using: &generator)
                        try await attempt(writer, number, choice, on: connection)
                    }
                }
            } catch let error as PostgresError where error.isConnectionLoss || error.sqlState == "53300" {
                try await untilMoment(.now + .milliseconds(20))
            }
        }
    }

    private func attempt(_ writer: Int, _ number: Int, _ choice: Int, on connection: Connection) async throws {
        do {
            try connection.query("SELECT storm.op($1::int, $2::bigint, $3::int)", writer, number, choice)
            _ = state.withLock { $0.acknowledged.insert([writer, number]) }
            try await untilMoment(.now + .milliseconds(25))
        } catch let error as PostgresError {
            state.withLock { state in
                if error.isConnectionLoss {
                    state.unknown.insert([writer, number])
                } else {
                    state.refused.insert([writer, number])
                    // The fence, deadlocks, a full disk.
                    let isExpected = error.isTransient || ["25006", "53100"].contains(error.sqlState)
                    if !isExpected { state.surprises.append(error.description) }
                }
            }
            if error.isConnectionLoss { throw error }
            try await untilMoment(.now + .milliseconds(15))
        }
    }

    /// Says in which way a server's rows contradict what the application was told; nil when they do not.
    func contradiction(on place: ConnectionString) async throws -> String? {
        let (rows, sums, broken) = try await withConnection(to: place, application: "storm check") { connection in
            let rows = try connection.query("SELECT writer, n FROM storm.ledger ORDER BY writer, n")
                .map { row throws(PostgresError) in [try row("writer", as: Int.self), try row("n", as: Int.self)] }
            let sums = try connection.query("SELECT sum FROM storm.chain ORDER BY writer")
                .map { row throws(PostgresError) in try row("sum", as: Int.self) }
            return (rows, sums, try connection.query(StormDatabase.contradictions).first?.text(0))
        }
        let here = Set(rows)
        let told = state.withLock { $0 }
        let lost = told.acknowledged.subtracting(here)
        if !lost.isEmpty {
            return "\(lost.count) acknowledged writes are lost, such as \(lost.sorted { $0[1] < $1[1] }.prefix(5))"
        }
        let undead = told.refused.intersection(here)
        if !undead.isEmpty { return "\(undead.count) refused writes are there, such as \(undead.prefix(5))" }
        let strange = here.subtracting(told.acknowledged).subtracting(told.unknown)
        if !strange.isEmpty {
            return "\(strange.count) writes are there that nobody made, such as \(strange.prefix(5))"
        }
        for writer in sums.indices {
            let sum = rows.filter { $0[0] == writer }.reduce(0) { ($0 * 31 + $1[1]) % 1_000_000_007 }
            if sum != sums[writer] { return "the chain of writer \(writer) is \(sums[writer]) and must be \(sum)" }
        }
        return broken == "0" ? nil : "operations are there in parts: \(broken ?? "NULL") contradictions"
    }
}
