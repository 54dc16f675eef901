import Cluster
import Foundation
import Postgres
import TestSupport

/// One seeded move under load and faults, with what must hold at its end.
struct Storm: Sendable {
    let world: StormWorld
    let story: StormStory
    /// How long the move with its faults may take, as long as the machine has little else to do.
    var limit = Duration.seconds(300)

    /// How a storm ended.
    struct Outcome: Sendable {
        /// What was wrong; nil when all held.
        var failure: String?
        /// What happened, with times.
        var log: String
        /// How many writes were acknowledged.
        var writes: Int
    }

    /// Runs the story in two new databases.
    func run() async throws -> Outcome {
        let database = "storm_\(UInt32.random(in: 0 ... .max))"
        let log = StormLog()
        log.write("\(story)")
        let folder = (world.disk?.path ?? "/tmp") + "/" + database
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        // The disk is unmounted after the last storm.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await execute(
            world.source.direct("postgres"),
            "CREATE DATABASE \(Identifier(database)) TEMPLATE storm_template"
        )
        try await execute(world.target.direct("postgres"), "CREATE DATABASE \(Identifier(database))")
        let ledger = StormLedger(world, database: database)
        var failure: String?
        do { failure = try await play(database, folder, log, ledger) } catch { failure = "\(error)" }
        if let failure {
            let diagnosis = StormDiagnosis(world: world, database: database)
            log.write("FAILED: \(failure)\n\(await diagnosis.text())\n\(diagnosis.serverLogs)\n\(logs(in: folder))")
        }
        for station in [world.source, world.target] {
            try await station.server.start()
            try await drop(database, on: station)
        }
        return Outcome(failure: failure, log: log.text, writes: ledger.count)
    }

    private func play(
        _ database: String,
        _ folder: String,
        _ log: StormLog,
        _ ledger: StormLedger
    ) async throws -> String? {
        let marks = StormMarks()
        let watch = StormWatch(world, database: database, marks: marks, log: log)
        let martlet = StormFaults.RunningMartlet()
        let needsClock = story.plan.entries.contains { $0.fault.kind == .jumpClock }
        let clock = needsClock ? try WrongClock(directory: folder) : nil
        let move = TestMove(
            source: world.source.wired(database),
            target: world.target.wired(database),
            directory: folder + "/work"
        )
        let faults = StormFaults(world: world, marks: marks, log: log, martlet: martlet, clock: clock)
        let person = StormOperator(
            story,
            move: move,
            journal: world.target.direct(database),
            marks: marks,
            log: log,
            martlet: martlet,
            ledger: ledger,
            clock: clock
        )
        marks.reach("started")
        do { try await together(database, person, faults, watch, ledger) } catch {
            martlet.signal(SIGCONT)
            martlet.signal(SIGKILL)
            try await faults.mend()
            throw error
        }
        if let violation = watch.violation { return violation }
        if let surprise = ledger.surprises.first { return "the application was told: \(surprise)" }
        return try await judge(database, ledger)
    }

    /// Everybody at work at once, until the story is at its end, martlet has ended, and every fault that began is over.
    private func together(
        _ database: String,
        _ person: StormOperator,
        _ faults: StormFaults,
        _ watch: StormWatch,
        _ ledger: StormLedger
    ) async throws {
        let story = story
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                let time = try await untilTooLate()
                // As long as nobody has ended anything.
                let present = await StormDiagnosis(world: world, database: database).text()
                throw StormOperator.Failure(
                    description: "the move was not at its end within \(time); the operator: \(person.doing)\n\(present)"
                )
            }
            group.addTask {
                try await watch.watch()
                return false
            }
            for writer in 0..<StormDatabase.writers {
                group.addTask {
                    try await ledger.write(as: writer, seed: story.seed)
                    return false
                }
            }
            group.addTask {
                await faults.run(story.plan)
                return false
            }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { terminals in
                    terminals.addTask { try await person.keepRunning() }
                    terminals.addTask { try await person.goThrough() }
                    while try await terminals.next() != nil {}
                }
                try await ledger.stopAndWait()
                return true
            }
            defer { group.cancelAll() }
            while let isOver = try await group.next(), !isOver {}
        }
        try await faults.mend()
    }

    /// Returns when the move has taken too long: after ``limit``, or later on a machine that is busy with other things.
    private func untilTooLate() async throws -> Duration {
        let began = ContinuousClock.now
        var time = limit
        while true {
            try await untilMoment(began + time)
            var load = 0.0
            let isBusy = getloadavg(&load, 1) == 1 && load > 3 * Double(ProcessInfo.processInfo.activeProcessorCount)
            guard isBusy, time < limit * 3 else { return time }
            time += .seconds(30)
        }
    }

    // MARK: Judging

    private func judge(_ database: String, _ ledger: StormLedger) async throws -> String? {
        let (source, target) = (world.source.direct(database), world.target.direct(database))
        let isOnTarget = [.finish, .finishWithoutWayBack].contains(story.ending)
        if let contradiction = try await ledger.contradiction(on: isOnTarget ? target : source) { return contradiction }
        for (name, place) in [("source", source), ("target", target)] {
            let left = try await ask(place, StormDatabase.leftovers(database)) ?? ""
            if !left.isEmpty { return "left on the \(name): \(left)" }
        }
        if [.abortEarly, .abort].contains(story.ending) {
            let copied = try await ask(
                target,
                "SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'S')"
            )
            return copied == "0" ? nil : "the abort left \(copied ?? "") tables on the target"
        }
        guard story.isQuietAtTheEnd else { return nil }
        let (old, new) = (try await ask(source, StormDatabase.digest), try await ask(target, StormDatabase.digest))
        return old == new ? nil : "the databases differ:\nsource \(old ?? "")\ntarget \(new ?? "")"
    }

    private func logs(in folder: String) -> String {
        let work = folder + "/work"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: work)) ?? []
        return names.filter { $0.hasSuffix(".log") }.map { name in
            "\(name):\n" + ((try? String(contentsOfFile: work + "/" + name, encoding: .utf8)) ?? "")
        }.joined(separator: "\n")
    }

    private func drop(_ database: String, on station: StormWorld.Station) async throws {
        try await withConnection(to: station.direct("postgres")) { admin in
            try await eventually("database \"\(database)\" can be dropped") {
                try admin.execute(
                    """
                    SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
                     WHERE database = \(literal: database) AND active;
                    SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
                     WHERE database = \(literal: database) AND NOT active
                    """
                )
                let left: SQL = "SELECT count(*) FROM pg_replication_slots WHERE database = \(literal: database)"
                return try admin.query(left).first?.text(0) == "0"
            }
            try admin.execute("DROP DATABASE \(Identifier(database)) WITH (FORCE)")
        }
    }
}
