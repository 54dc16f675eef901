import Postgres
import Synchronization
import TestSupport

/// Watches the journal, and that the side that the application has left stays closed.
final class StormWatch: Sendable {
    private let world: StormWorld
    private let database: String
    private let marks: StormMarks
    private let log: StormLog
    private let found = Mutex<String?>(nil)

    init(_ world: StormWorld, database: String, marks: StormMarks, log: StormLog) {
        (self.world, self.database, self.marks, self.log) = (world, database, marks, log)
    }

    /// How both sides were open at once, if they were.
    var violation: String? { found.withLock { $0 } }

    /// Looks until the task is cancelled.
    func watch() async throws {
        var last = ""
        var looks = 0
        while !Task.isCancelled {
            do {
                try await withConnection(to: world.target.direct(database), application: "storm watch") { journal in
                    while true {
                        let phase = try StormOperator.phase(on: journal)
                        marks.reach(phase)
                        if phase != last { log.write("phase \(phase)") }
                        last = phase
                        // A probe is a session, which costs more than a look.
                        if looks % 10 == 0, marks["ending"] == nil { try await probe(in: phase, journal) }
                        looks += 1
                        try await untilMoment(.now + .milliseconds(10))
                    }
                }
            } catch let error as PostgresError where error.isConnectionLoss || error.sqlState == "3D000" {
                try await untilMoment(.now + .milliseconds(20))
            }
        }
    }

    /// Tries to write on the side that must be closed, in a transaction that is rolled back.
    ///
    /// The phase is looked at before and after: only one that stayed says anything.
    private func probe(in phase: String, _ journal: Connection) async throws {
        let closed: StormWorld.Station? =
            switch phase {
            case "reversing", "rollingBack", "switched": world.source
            case "rolledBack": world.target
            default: nil
            }
        guard let closed else { return }
        do {
            try await withConnection(to: closed.direct(database), application: "storm probe") { connection in
                try connection.execute(
                    "BEGIN; SET LOCAL lock_timeout = '300ms'; INSERT INTO storm.probe VALUES (1); ROLLBACK"
                )
            }
        } catch let error as PostgresError {
            if error.sqlState != "25006", !error.isConnectionLoss, !error.isTransient, error.sqlState != "53100" {
                log.write("the probe failed: \(error)")
            }
            return
        }
        guard try StormOperator.phase(on: journal) == phase, marks["ending"] == nil else { return }
        found.withLock { $0 = "the side that the application has left takes writes in phase \"\(phase)\"" }
    }
}
