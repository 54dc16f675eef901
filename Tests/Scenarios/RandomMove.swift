import Catalog
import Foundation
import Postgres
import Synchronization
import TestSupport

/// One move of a random database under a random workload: what it is made from, and what must hold.
///
/// Every failure is thrown, so that a caller can try again with less.
struct RandomMove {
    let seed: UInt64
    let schema: RandomSchema
    /// The statements that make the database; fewer than the schema's while a failure is made smaller.
    var statements: [SQL]
    var isTolerant = false
    let move: TestMove
    /// The major versions of both servers.
    let majors: (source: Int, target: Int)
    /// What happened, for the failure.
    let log = MoveLog()

    /// How the move ends, by the seed.
    enum Ending: CaseIterable { case finish, abort, rollback, finishUnderLoad }

    var ending: Ending { Ending.allCases[Int(seed % 4)] }

    private var writers: Int { Int(seed % 2) + 2 }

    /// Makes the database, moves it, and throws what is wrong.
    func callAsFunction() async throws {
        try await RandomSchema.make(statements, in: move.source, isTolerant: isTolerant)
        let programs = try await Installation.client(atLeast: majors.target)
        let before = try await programs.definitions(of: move.source)
        try await withRandomWriters(writers, of: schema, seed: seed, at: move.source) { writers in
            try await writers.write(20)
            try await migrate(writers)
        }
        if log.description.contains(Self.cameBack) { try await must("abort", "--keep-copy") }
        try await nothingIsLeft(before: before)
    }

    private func migrate(_ early: RandomWriters) async throws {
        let options = ["--jobs", "\(seed % 3 + 1)", "--lanes", "\(seed % 3 + 1)"]
        let failure = Mutex<String?>(nil)
        let migration = try await move.run("migrate", options) { process in
            do { try await follow(process, early) } catch {
                // What martlet says belongs to it, so it is not killed at once.
                failure.withLock { $0 = "\(error)" }
                kill(process, SIGTERM)
                do { try await eventually("martlet ends", within: .seconds(30)) { !Self.isRunning(process) } } catch {
                    kill(process, SIGKILL)
                }
            }
        }
        let said = "martlet migrate \(options) ended with \(migration.status): \(migration.output)\(migration.error)"
        if let failure = failure.withLock(\.self) { throw RandomMoveFailure("\(failure)\n\(said)") }
        guard migration.status == 0 else {
            // Whether it was an accident of the moment is worth knowing.
            let again = try await move.run("migrate", options) { process in
                try await eventually("the move follows changes", within: .seconds(60)) {
                    try await move.isFollowing() || !Self.isRunning(process)
                }
                kill(process, SIGTERM)
            }
            throw RandomMoveFailure("\(said)\nmartlet migrate again ended with \(again.status): \(again.error)")
        }
    }

    private func follow(_ process: Int32, _ early: RandomWriters) async throws {
        try await eventually("the move follows changes", within: .seconds(300)) {
            try await move.isFollowing() || !Self.isRunning(process)
        }
        guard Self.isRunning(process) else { return }
        log.note("follows after \(early.committed) of \(early.transactions) transactions")
        try await early.write(40)
        try await early.stop()
        log.note("followed \(early.committed) of \(early.transactions) transactions; refused \(early.refusals)")
        if !isTolerant, let fault = early.faults.first {
            throw RandomMoveFailure("a statement of the workload failed: \(fault)")
        }
        guard Self.isRunning(process) else { return }
        try await mustBeEqual("while following")
        try await end(process)
    }

    private func end(_ process: Int32) async throws {
        var keepsWayBack = true
        switch ending {
        case .abort: return try await must("abort")
        case .finish, .rollback: keepsWayBack = try await cutOver()
        case .finishUnderLoad:
            try await withRandomWriters(writers, of: schema, seed: seed + 7, at: move.source, preparing: false) {
                late in
                try await late.write(3)
                keepsWayBack = try await cutOver()
                try await late.stop()
                log.note(
                    "cut over beside \(late.committed) of \(late.transactions) transactions; refused \(late.refusals)"
                )
            }
        }
        try await mustBeCopied("after the cutover", withSequences: true)
        log.note("cut over")
        try await withRandomWriters(writers, of: schema, seed: seed + 13, at: move.target) { writers in
            try await writers.write(30)
            try await writers.stop()
            log.note(
                "on the new server \(writers.committed) of \(writers.transactions) transactions; refused \(writers.refusals)"
            )
            if !isTolerant, let fault = writers.faults.first {
                throw RandomMoveFailure("a statement of the workload failed: \(fault)")
            }
        }
        guard keepsWayBack else { return try await must("finish") }
        guard Self.isRunning(process) else { return }
        try await mustBeEqual("on the way back")
        if ending == .rollback {
            try await must("rollback")
            log.note(Self.cameBack)
            try await mustBeCopied("after the rollback", withSequences: true)
        } else {
            try await must("finish")
        }
    }

    private static let cameBack = "came back to the old server"

    /// Cuts over; false when that was possible only without a way back.
    private func cutOver() async throws -> Bool {
        let outcome = try await move.run("cutover")
        if outcome.status == 0 { return true }
        guard majors.target >= 18, outcome.error.contains("can be named by nothing but the whole row") else {
            throw RandomMoveFailure("martlet cutover ended with \(outcome.status): \(outcome.output)\(outcome.error)")
        }
        log.note("there is no way back")
        try await must("cutover", "--no-rollback")
        return false
    }

    private func must(_ command: String, _ options: String...) async throws {
        let outcome = try await move.run(command, options)
        guard outcome.status == 0 else {
            throw RandomMoveFailure(
                "martlet \(command) ended with \(outcome.status): \(outcome.output)\(outcome.error)"
            )
        }
    }

    /// Asks martlet, and then without it: verify itself may be wrong.
    private func mustBeEqual(_ when: String) async throws {
        let verdict = try await move.run("verify")
        guard verdict.status == 0 else {
            let facts = try await differences(withSequences: false)
            throw RandomMoveFailure(
                "martlet verify \(when): \(verdict.output)\(verdict.error)\nby plain questions: \(facts ?? "equal")"
            )
        }
        try await mustBeCopied(when, withSequences: false)
    }

    private func mustBeCopied(_ when: String, withSequences: Bool) async throws {
        if let facts = try await differences(withSequences: withSequences) {
            throw RandomMoveFailure("differs \(when): \(facts)")
        }
    }

    private func differences(withSequences: Bool) async throws -> String? {
        let (left, right) = (try await DatabaseDigest(of: move.source), try await DatabaseDigest(of: move.target))
        let tables = left.differingTables(from: right)
        let all = left.differences(from: right).filter { withSequences || $0.hasPrefix("table") }
        guard !all.isEmpty else { return nil }
        var text = all.joined(separator: "\n")
        if let table = tables.first, left.tables[table] != nil, right.tables[table] != nil {
            text += "\n" + (try await DatabaseDigest.rows(of: table, differing: move.source, move.target))
        }
        return text
    }

    /// Whether both servers hold nothing of martlet's, and the source has its old definitions.
    private func nothingIsLeft(before: String) async throws {
        let programs = try await Installation.client(atLeast: majors.target)
        let after = try await programs.definitions(of: move.source)
        guard after == before else {
            throw RandomMoveFailure("the definitions of the source changed:\n\(Self.difference(before, after))")
        }
        let left: SQL = """
            SELECT string_agg(what, ', ') FROM (
                SELECT 'schema martlet' FROM pg_namespace WHERE nspname = 'martlet'
                UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
                UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname LIKE 'martlet!_%' ESCAPE '!'
                UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE 'martlet!_%' ESCAPE '!'
                UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname LIKE 'martlet!_%' ESCAPE '!'
                UNION ALL SELECT 'prepared ' || gid FROM pg_prepared_xacts WHERE database = current_database()
            ) AS l (what)
            """
        for place in [move.source, move.target] {
            if let found = try await ask(place, left) { throw RandomMoveFailure("left in \(place): \(found)") }
        }
        guard ending != .abort, majors.source == majors.target else { return }
        let copied = try await programs.definitions(of: move.target)
        if copied != before { throw RandomMoveFailure("the definitions differ:\n\(Self.difference(before, copied))") }
    }

    private static func isRunning(_ process: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
        return status.split(separator: ")").last?.contains(" Z ") == false
    }

    /// The lines that only one of two texts has.
    private static func difference(_ left: String, _ right: String) -> String {
        let lines = right.split(separator: "\n").difference(from: left.split(separator: "\n"))
        return lines.prefix(12).map { change in
            switch change {
            case .remove(_, let line, _): "- \(line)"
            case .insert(_, let line, _): "+ \(line)"
            }
        }.joined(separator: "\n")
    }
}

/// What a random move found wrong.
struct RandomMoveFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }

    /// What failed, without names and numbers: what martlet said, or the first words.
    var kind: String {
        let lines = description.split(separator: "\n")
        let line = lines.first { $0.contains("martlet: error:") } ?? lines.first ?? ""
        return String(line.replacing(/"[^"]*"|[0-9\/A-F]+/, with: "").prefix(60))
    }
}
