import Foundation
import Postgres
import Synchronization
import TestSupport

/// The person at the keyboard: starts martlet again after every death, repeats what failed, and knows by the journal where the move is.
final class StormOperator: Sendable {
    let move: TestMove
    /// The target's database, past the bad wire.
    let journal: ConnectionString
    let story: StormStory
    let marks: StormMarks
    let log: StormLog
    let martlet: StormFaults.RunningMartlet
    let ledger: StormLedger
    private let clock: WrongClock?
    private let isEnding = Mutex(false)
    private let present = Mutex("nothing yet")

    /// What is being done or waited for.
    var doing: String { present.withLock { $0 } }

    init(
        _ story: StormStory,
        move: TestMove,
        journal: ConnectionString,
        marks: StormMarks,
        log: StormLog,
        martlet: StormFaults.RunningMartlet,
        ledger: StormLedger,
        clock: WrongClock?
    ) {
        self.clock = clock
        (self.story, self.move, self.journal) = (story, move, journal)
        (self.marks, self.log, self.martlet, self.ledger) = (marks, log, martlet, ledger)
    }

    /// What must never happen.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    // MARK: The terminal in which martlet runs

    /// Keeps `martlet migrate` running until the move needs nobody any more.
    func keepRunning() async throws {
        var move = move
        if let clock { move.program = clock.program }
        while true {
            let options = ["--lanes", "\(story.lanes)", "--confirm", story.confirmation]
            let outcome = try await move.run("migrate", options) { martlet.set($0) }
            martlet.set(nil)
            log.write("migrate: status \(outcome.status)\n\(outcome.error)")
            try refuseBlunders("migrate", outcome)
            let phase = try await phaseOrNil()
            if isEnding.withLock({ $0 }) || outcome.status == 0 && ["switched", "rolledBack"].contains(phase) {
                return
            }
            try await untilMoment(.now + .milliseconds(100))
        }
    }

    // MARK: The terminal in which commands are given

    /// Goes through the story; each step is repeated until the journal says that it is done.
    func goThrough() async throws {
        if story.ending == .abortEarly {
            try await wait(for: "loading")
            try await pause(0)
            return try await end("abort")
        }
        try await wait(for: "following")
        try await pause(0)
        if story.comparesEarly || story.ending == .abort { try await compare() }
        if story.ending == .abort { return try await end("abort") }
        let isLast = ![.rollBackAbort, .rollBackFinish].contains(story.ending)
        if isLast, story.isQuietAtTheEnd, story.ending == .finishWithoutWayBack { try await ledger.stopAndWait() }
        marks.reach("cutover")
        let options = story.ending == .finishWithoutWayBack ? ["--no-rollback"] : []
        try await repeatUntil(["reversing", "switched"], "cutover", options)
        ledger.move(toTarget: true)
        try await pause(1)
        if !isLast {
            if story.isQuietAtTheEnd { try await ledger.stopAndWait() }
            marks.reach("rollback")
            try await repeatUntil(["rolledBack"], "rollback", [])
            ledger.move(toTarget: false)
            try await pause(2)
        } else if story.isQuietAtTheEnd, story.ending == .finish {
            try await ledger.stopAndWait()
            try await compare()
        }
        try await end(story.ending == .rollBackAbort ? "abort" : "finish")
    }

    /// Ends the move: repeated until the journal is gone.
    private func end(_ command: String) async throws {
        isEnding.withLock { $0 = true }
        marks.reach("ending")
        let options = command == "finish" ? ["--force"] : story.ending == .rollBackAbort ? ["--keep-copy"] : []
        try await repeatUntil(["gone"], command, options)
    }

    private func repeatUntil(_ phases: [String], _ command: String, _ options: [String]) async throws {
        while true {
            note("martlet \(command), until the move is \(phases.joined(separator: " or "))")
            let outcome = try await move.run(command, options)
            log.write("\(command): status \(outcome.status) \(outcome.output)\(outcome.error)")
            try refuseBlunders(command, outcome)
            if outcome.error.contains("databases differ") {
                throw Failure(description: "\(command) found differences: \(outcome.error)")
            }
            let phase = try await phase()
            if phases.contains(phase) { return }
            if outcome.status == 0 {
                throw Failure(description: "\(command) ended well, but the move is in phase \"\(phase)\"")
            }
            try await untilMoment(.now + .milliseconds(100))
        }
    }

    private func compare() async throws {
        while true {
            note("martlet verify")
            let outcome = try await move.run("verify")
            log.write("verify: status \(outcome.status) \(outcome.output)\(outcome.error)")
            try refuseBlunders("verify", outcome)
            // Without a martlet that runs the move the two sides are at different positions.
            let isExact = !outcome.error.contains("is stopped; both sides are compared as they are now")
            if outcome.status == 2, isExact {
                throw Failure(description: "verify found differences: \(outcome.output)")
            }
            if outcome.status == 0, isExact { return }
            try await untilMoment(.now + .milliseconds(100))
        }
    }

    /// A program that crashes, or calls something its own fault.
    private func refuseBlunders(_ command: String, _ outcome: MartletProgram.Outcome) throws {
        let signal = outcome.status - 128
        if [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGPIPE].contains(signal) {
            throw Failure(description: "martlet \(command) ended by signal \(signal): \(outcome.error)")
        }
        if outcome.error.contains("fault of martlet") {
            throw Failure(description: "martlet \(command) says that it is its own fault: \(outcome.error)")
        }
    }

    private func note(_ what: String) {
        present.withLock { $0 = what }
        log.write("operator: \(what)")
    }

    // MARK: Looking

    private func pause(_ number: Int) async throws {
        try await untilMoment(.now + .milliseconds(story.pauses[number]))
    }

    private func wait(for mark: String) async throws {
        note("waits until the move is \(mark)")
        while marks[mark] == nil { try await untilMoment(.now + .milliseconds(5)) }
    }

    private func phaseOrNil() async throws -> String {
        do { return try await phase() } catch let error as PostgresError where error.isConnectionLoss {
            return "unknown"
        }
    }

    /// The phase in the journal, `gone` without one; waits for a server that is away.
    private func phase() async throws -> String {
        while true {
            do { return try await Self.phase(journal) } catch let error as PostgresError where error.isConnectionLoss {
                try await untilMoment(.now + .milliseconds(20))
            }
        }
    }

    /// The phase in the journal of a database; `gone` without a journal.
    static func phase(_ journal: ConnectionString) async throws -> String {
        try await withConnection(to: journal, application: "storm watch") { try phase(on: $0) }
    }

    /// As ``phase(_:)``, in a session that is open.
    static func phase(on connection: Connection) throws(PostgresError) -> String {
        do {
            return try connection.query("SELECT phase FROM martlet.migration").first?.text(0) ?? "gone"
        } catch  where ["42P01", "3F000"].contains(error.sqlState) {
            return "gone"
        }
    }
}
