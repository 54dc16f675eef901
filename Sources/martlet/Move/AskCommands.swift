import ArgumentParser
import Engine
import Foundation
import Move
import Postgres

/// Asks the martlet that runs a move to do something, and waits for its answer.
struct Asker: Sendable {
    let target: ConnectionString
    /// Told what the other martlet is doing meanwhile.
    let tell: @Sendable (String) -> Void

    init(target: ConnectionString, output: Output) {
        self.init(target: target) { output.talk(prose: $0) }
    }

    init(target: ConnectionString, tell: @escaping @Sendable (String) -> Void) {
        self.target = target
        self.tell = tell
    }

    /// Asks; `nil` when no martlet runs a move into this target, or when the one that did has ended without an answer.
    ///
    /// A cancelled task withdraws the request, and throws what came of that; when it was too late, it gets the answer.
    func ask<Answer: Decodable & Sendable>(
        _ kind: String,
        _ arguments: some Encodable,
        as type: Answer.Type
    ) async throws -> Answer? {
        try await withNeutralConnection(to: target, application: "martlet \(kind)") { connection in
            guard try Journal.migration(on: connection) != nil, try Lease.isTaken(on: connection) else { return nil }
            let content = try JSONEncoder().encode(arguments)
            // While tables are copied nobody would answer before the move goes on.
            if Ask.needsStream(kind, arguments: content), try Journal.paused(on: connection) != nil {
                throw Ask.paused(kind)
            }
            // What was being done before is not done for us.
            let before = try activity(connection) ?? ""
            let request = try Journal.ask(kind, arguments: content, on: connection)
            do {
                return try await wait(for: request, told: before, on: connection, as: type)
            } catch  where Task.isCancelled {
                tell("withdrawing the \(kind)")
                return try await withoutCancellation { try await withdraw(request, kind, as: type) }
            } catch let error as PostgresError where error.isConnectionLoss {
                return try await findOut(request, kind, after: error, as: type)
            }
        }
    }

    /// Asks for a minute, with new sessions, what has become of a request whose session was lost.
    ///
    /// What was not decided yet is withdrawn, as nobody would wait for it any more.
    private func findOut<Answer: Decodable & Sendable>(
        _ request: Int,
        _ kind: String,
        after loss: PostgresError,
        as type: Answer.Type
    ) async throws -> Answer? {
        tell("lost the connection; asking what has become of the \(kind)")
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try await withdraw(request, kind, as: type)
            } catch is CancellationError {
                throw loss
            } catch let error as PostgresError where error.isConnectionLoss {
                guard ContinuousClock.now < end else {
                    throw PostgresError(
                        "the connection was lost, and what has become of the \(kind) is not known",
                        detail: error.message,
                        hint:
                            "martlet status tells in which phase the move is, as soon as \(target.place) can be reached.",
                        sqlState: error.sqlState
                    )
                }
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    private func withdraw<Answer: Decodable & Sendable>(
        _ request: Int,
        _ kind: String,
        as type: Answer.Type
    ) async throws -> Answer? {
        try await withNeutralConnection(to: target, application: "martlet \(kind)") { connection in
            // A journal that is gone, or has lost the request, has nothing to answer.
            guard try Journal.exists(on: connection), try Journal.withdraw(request, on: connection) == true else {
                throw CancellationError()
            }
            return try await wait(for: request, told: "", on: connection, as: type)
        }
    }

    private func wait<Answer: Decodable & Sendable>(
        for request: Int,
        told: String,
        on connection: Connection,
        as type: Answer.Type
    ) async throws -> Answer? {
        var shown = told
        var looks = 0
        while true {
            if let answer = try Journal.answer(to: request, on: connection) { return try decode(answer, type) }
            if let activity = try activity(connection), activity != shown {
                tell(activity)
                shown = activity
            }
            looks += 1
            // A move that comes to its end just now takes no more requests; nobody must wait for it for ever.
            if looks % 50 == 0, try Lease.isTaken(on: connection) == false {
                if try Journal.answer(to: request, on: connection) == nil {
                    try Journal.dropRequests(on: connection)
                }
                guard let answer = try Journal.answer(to: request, on: connection), answer.isDone else { return nil }
                tell("the martlet that ran the move has ended: start martlet migrate again, which goes on from here")
                return try decode(answer, type)
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The migration in the journal, or an error that says there is none.
    func migration() async throws -> Journal.Migration {
        let migration = try await withNeutralConnection(to: target) { try Journal.migration(on: $0) }
        guard let migration else {
            throw PostgresError(
                "there is no move into \(target.place)",
                detail: "Its database has no journal of martlet.",
                hint: "Start one with martlet migrate, or check --target."
            )
        }
        return migration
    }

    /// What to say when nobody runs the move.
    func nobodyRuns(_ migration: Journal.Migration) -> PostgresError {
        PostgresError(
            "no martlet runs the move into \(target.place) now",
            detail: "It stopped in phase \"\(Phase(rawValue: migration.phase)?.title ?? migration.phase)\".",
            hint: "Start it again with the same martlet migrate command, then repeat this one."
        )
    }

    private func activity(_ connection: Connection) throws -> String? {
        guard
            let row = try connection.query(
                "SELECT coalesce(report ->> 'waiting', nullif(report ->> 'activity', '')) AS activity FROM martlet.status"
            ).first
        else { return nil }
        return try row.optional("activity")
    }

    private func decode<Answer: Decodable & Sendable>(_ answer: Journal.Answer, _ type: Answer.Type) throws -> Answer {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard answer.isDone else { throw try decoder.decode(Ask.Failure.self, from: answer.content).error }
        return try decoder.decode(type, from: answer.content)
    }
}

/// `martlet cutover`.
struct CutoverCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "cutover",
        abstract: "Bring the application to the new server, within about a second.",
        discussion: """
            Asks the martlet that runs the move. It compares once more while writers go on, stops them on the old server, \
            applies what is left, sets sequences, compares what changed, arms the way back, and opens the new server. \
            When anything is not right, it lets the writers go on and says why.

            The old server refuses writes from then on, for every role. Point the application to the new server with \
            --on-switch, which gets MARTLET_NEW_CONNECTION in its environment (its password, if it was given, in PGPASSWORD).

            EXAMPLES
              martlet cutover --target postgresql://app@new/shop --dry-run
              martlet cutover --target postgresql://app@new/shop \\
                  --on-switch './switch-pooler.sh'
            """
    )

    @OptionGroup var target: TargetOption

    @Flag(help: "Only say what would be in the way.")
    var dryRun = false

    @Flag(help: "Give up the way back: the target needs no logical replication then.")
    var noRollback = false

    @Flag(help: ArgumentHelp(Self.sinceVerifyHelp))
    var sinceVerify = false

    @Option(help: ArgumentHelp("Run this shell command once the new server is open.", valueName: "command"))
    var onSwitch: String?

    @Flag(help: "Print the report as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let target = try target.connection()
        return try await SwitchCommand(kind: "cutover", target: target, opened: target, onSwitch: onSwitch, json: json)
            .run(Ask.Switch(isDryRun: dryRun, keepsWayBack: !noRollback, isSinceVerify: sinceVerify), output)
    }

    static let sinceVerifyHelp = """
        Trust a martlet verify that found no difference since martlet migrate was started, and compare only what \
        changed since.
        """
}

/// `martlet rollback`.
struct RollbackCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "rollback",
        abstract: "Bring the application back to the old server, with all that was written meanwhile.",
        discussion: """
            The same as a cutover, with the roles swapped: possible from the cutover until martlet finish.

            EXAMPLES
              martlet rollback --source postgresql://app@old/shop \\
                  --target postgresql://app@new/shop
            """
    )

    @OptionGroup var endpoints: EndpointOptions

    @Flag(help: "Only say what would be in the way.")
    var dryRun = false

    @Flag(help: ArgumentHelp(CutoverCommand.sinceVerifyHelp))
    var sinceVerify = false

    @Option(help: ArgumentHelp("Run this shell command once the old server is open.", valueName: "command"))
    var onSwitch: String?

    @Flag(help: "Print the report as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let target = try endpoints.target.connection()
        let opened = onSwitch == nil ? target : try endpoints.source.connection()
        return try await SwitchCommand(kind: "rollback", target: target, opened: opened, onSwitch: onSwitch, json: json)
            .run(Ask.Switch(isDryRun: dryRun, isSinceVerify: sinceVerify), output)
    }
}

/// What a cutover and a rollback have in common.
struct SwitchCommand {
    let kind: String
    let target: ConnectionString
    /// The server that the application goes to.
    let opened: ConnectionString
    let onSwitch: String?
    let json: Bool

    func run(_ ask: Ask.Switch, _ output: Output) async throws -> ExitStatus {
        let asker = Asker(target: target, output: output)
        let migration = try await asker.migration()
        if ask.isDryRun {
            guard let answer = try await asker.ask(kind, ask, as: Ask.DryRun.self) else {
                throw asker.nobodyRuns(migration)
            }
            return try show(answer, output)
        }
        guard let report = try await asker.ask(kind, ask, as: CutoverReport.self) else {
            throw asker.nobodyRuns(migration)
        }
        if json { try output.json(report) } else { show(report, keepsWayBack: ask.keepsWayBack, output) }
        if let onSwitch { try runHook(onSwitch, output) }
        return .done
    }

    private func show(_ dryRun: Ask.DryRun, _ output: Output) throws -> ExitStatus {
        if json {
            try output.json(dryRun)
        } else {
            output.result(
                prose: """
                    \(dryRun.tables) tables would be fenced, \(dryRun.sequences) sequences set; \
                    \(dryRun.sessions) sessions of applications are open; lag \(Painter.size(Int(clamping: dryRun.lagBytes)))
                    """
            )
            for obstacle in dryRun.obstacles { output.result(prose: "in the way: \(obstacle)") }
            if dryRun.obstacles.isEmpty { output.result("nothing is in the way") }
        }
        return dryRun.obstacles.isEmpty ? .done : .foundProblems
    }

    private func show(_ report: CutoverReport, keepsWayBack: Bool, _ output: Output) {
        var table = TextTable(["step", "ms", ""])
        for step in report.steps {
            let time = String(format: "%.1f", step.milliseconds)
            table.add([step.name, time, step.isDowntime ? "writers stand still" : ""])
        }
        output.result(table.text)
        output.result(
            prose:
                "downtime: \(Int(report.downtimeMilliseconds.rounded())) ms; \(report.rowsCompared) changed rows compared, "
                + "\(report.sequences) sequences set"
        )
        if !report.sequencesAhead.isEmpty {
            output.result(
                prose: "values were drawn meanwhile, so these sequences go on with a gap: "
                    + report.sequencesAhead.joined(separator: ", ")
            )
        }
        if !report.unlogged.isEmpty {
            output.result(
                prose: "neither followed nor compared, since they are unlogged: "
                    + report.unlogged.joined(separator: ", ")
            )
        }
        output.talk(
            prose: kind == "cutover" && keepsWayBack
                ? "next: martlet rollback goes back to the old server; martlet finish gives that up and removes the rest"
                : "next: martlet finish removes what is left of the move"
        )
    }

    private func runHook(_ command: String, _ output: Output) throws {
        let (conninfo, secrets) = opened.forChildProcess
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = ProcessInfo.processInfo.environment
            .merging(secrets) { _, new in new }
            .merging(["MARTLET_NEW_CONNECTION": conninfo]) { _, new in new }
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw PostgresError(
                "the command of --on-switch failed with status \(process.terminationStatus)",
                detail:
                    "The \(kind) itself is done: \(opened.place) is open for writes, the other server refuses them.",
                hint: "Run the command by hand, with MARTLET_NEW_CONNECTION in its environment"
                    + (kind == "cutover" ? ", or go back with martlet rollback." : ".")
            )
        }
    }
}
