import ArgumentParser
import Catalog
import Engine
import Foundation
import Move
import Postgres
import Sync

/// `martlet migrate`.
struct MigrateCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move a database that is in use to another server.",
        discussion: """
            Copies schema and rows under one snapshot, follows changes, and keeps both sides equal until you say \
            martlet cutover in another terminal. The same command resumes a move that was stopped, whatever stopped it; \
            what was decided at its beginning stays.

            EXAMPLES
              martlet migrate --source postgresql://app@old/shop \\
                  --target postgresql://app@new/shop
              martlet migrate --source service=old --target service=new \\
                  --jobs 4 --exclude 'audit.*'
              martlet migrate --once --source "host=old dbname=shop" \\
                  --target "host=new dbname=shop"
            """
    )

    @OptionGroup var endpoints: EndpointOptions
    @OptionGroup var work: WorkDirectoryOption

    @OptionGroup var selection: SelectionOptions

    @Option(
        help: ArgumentHelp(
            "Cut tables into parts of about this size, such as 4GB, so that martlet work can share them (default: only those of more than 0.6/jobs of all bytes, into --jobs parts).",
            valueName: "size"
        )
    )
    var partSize: PartSize?

    @Option(help: "How many sessions apply changes.")
    var lanes = 2

    @Option(
        help: ArgumentHelp(
            "What the source may forget: 'spooled', what is safe in the work directory, or 'applied', what is safe on the target.",
            valueName: "what"
        )
    )
    var confirm: Confirmation = .spooled

    @OptionGroup var limits: LimitOptions

    @Option(
        help: ArgumentHelp(
            "How long to wait for a server that cannot be reached, such as 2h (default: 10m once the move has begun, and not at all before).",
            valueName: "time"
        )
    )
    var wait: WaitTime?

    @Flag(help: "Say what would be done, and whether anything is in the way; change nothing.")
    var dryRun = false

    func validate() throws {
        guard (1...16).contains(lanes) else { throw ValidationError("--lanes takes a number from 1 to 16.") }
    }

    private func options(_ choice: JobChoice?) throws -> MigrationOptions {
        var options = MigrationOptions()
        options.include = selection.include
        options.exclude = selection.exclude
        options.jobs = selection.jobs.number ?? choice?.count ?? options.jobs
        options.jobsReason = choice?.reason
        options.partBytes = partSize?.bytes
        options.lanes = lanes
        options.isOnce = selection.once
        options.schema.keepsOwners = !selection.noOwner
        options.schema.keepsPrivileges = !selection.noPrivileges
        options.confirmation = confirm
        options.mapping = try selection.mapping.read()
        return options
    }

    /// The local time as 14:05:09, whatever the locale.
    static let clock = Date.VerbatimFormatStyle(
        format:
            "\(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits)",
        timeZone: .current,
        calendar: Calendar(identifier: .gregorian)
    )

    func run(output: Output) async throws -> ExitStatus {
        let endpoints = try endpoints.endpoints()
        let findings = try await waiting(output) { try await assess(endpoints) }
        if let status = try await status(findings, endpoints, output) { return status }
        let options = try options(findings?.jobs)
        let directory = work.url(for: endpoints.source)
        let monitor = Monitor(endpoints: endpoints, directory: directory) { event in
            if !output.isTerminal { output.talk("\(Date().formatted(Self.clock))  \(event)") }
        }
        let migration = Migration(
            endpoints: endpoints,
            options: options,
            limits: try limits.limits(),
            wait: wait?.duration,
            directory: directory,
            monitor: monitor
        )
        let view = LiveView(output: output)
        do {
            let outcome = try await view.show(monitor) { try await migration.run() }
            output.talk(prose: Self.farewell(outcome, directory))
            return .done
        } catch {
            guard Task.isCancelled else { throw error }
            throw Interrupted(cause: error, text: Self.interruption(in: monitor.report.phase, isOnce: selection.once))
        }
    }

    /// Looks first for what is in the way of a move that begins; nil when one goes on.
    private func assess(_ endpoints: Endpoints) async throws -> Findings? {
        let isResumed = try await withNeutralConnection(to: endpoints.target) { try Journal.migration(on: $0) != nil }
        guard !isResumed || dryRun else { return nil }
        return try await Preflight.run(
            source: endpoints.source,
            target: endpoints.target,
            options: selection.preflight()
        )
    }

    /// Waits for servers that cannot be reached, if that was asked for.
    private func waiting<Result>(_ output: Output, _ body: () async throws -> Result) async throws -> Result {
        let end = ContinuousClock.now + (wait?.duration ?? .zero)
        var told = ""
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where error.isConnectionLoss && ContinuousClock.now < end {
                if told != error.line { output.talk(prose: "waiting: \(error.line)") }
                told = error.line
                try await Task.sleep(for: .seconds(2))
            }
        }
    }

    /// Tells what was found; returns a status when the move must not begin.
    private func status(_ findings: Findings?, _ endpoints: Endpoints, _ output: Output) async throws -> ExitStatus? {
        guard let findings else { return nil }
        if dryRun {
            output.result(AssessCommand.text(findings, output))
            let isResumed = try await withNeutralConnection(to: endpoints.target) {
                try Journal.migration(on: $0) != nil
            }
            output.result(isResumed ? "The move that was begun would go on." : "Nothing was changed.")
            return findings.blockers.isEmpty ? .done : .foundProblems
        }
        guard !findings.blockers.isEmpty else {
            tell(findings, output)
            return nil
        }
        output.talk(AssessCommand.problems(findings, output))
        output.failure(
            PostgresError(
                "the move cannot begin: \(Quantity.of(findings.blockers.count, "blocker"))",
                hint: "Remove what blocks it; martlet assess shows everything that was looked at."
            )
        )
        return .foundProblems
    }

    /// One line, and the warnings: the move begins.
    private func tell(_ findings: Findings, _ output: Output) {
        let passed = findings.findings.count - findings.warnings.count
        let warnings = Quantity.of(findings.warnings.count, "warning")
        output.talk(prose: "assess: \(Quantity.of(passed, "check")) passed, \(warnings)")
        for warning in findings.warnings {
            output.talk(prose: "\(output.styled("warning:", .yellow)) \(warning.message)", indent: "  ")
        }
    }

    /// What somebody must know who has stopped a move.
    static func interruption(in phase: Phase, isOnce: Bool) -> String {
        if phase == .loading, isOnce {
            return "stopped; the source was only read: the same command copies every table anew, from a new snapshot"
        }
        let kept =
            switch phase {
            case .planned, .rolledBack, .switched, .copied: ""
            case .loading, .following, .cuttingOver:
                "; the source keeps its log for the slot until the move goes on, or martlet abort ends it"
            case .reversing, .rollingBack:
                "; the new server keeps its log for the way back until the move goes on, or martlet finish ends it"
            }
        return "stopped; nothing is lost: the same command goes on where it was" + kept
    }

    private static func farewell(_ outcome: Migration.Outcome, _ directory: URL) -> String {
        let what =
            switch outcome {
            case .copied: "The copy is complete. Compare with martlet verify; martlet finish removes the journal."
            case .finished: "Finished: the application is on the new server, and nothing of martlet is left on either."
            case .aborted: "Aborted: the source is as it was before, and the copy on the target is removed."
            case .abortedKeepingCopy:
                "Aborted: the source is as it was before; the copy on the target is kept, and nothing keeps it up to date."
            case .rolledBack: "Rolled back: the application is on the old server. martlet finish removes what is left."
            case .switched: "Cut over, without a way back. martlet finish removes what is left."
            }
        return what + "\nLogs are in \(directory.path)."
    }
}

/// A size on the command line: `512MB`, `4GB`.
struct PartSize: ExpressibleByArgument, Sendable {
    let bytes: Int

    init?(argument: String) {
        guard let match = argument.wholeMatch(of: /([0-9]{1,6}) ?(kB|MB|GB|TB)/), let number = Int(match.1), number > 0
        else { return nil }
        let powers = ["kB": 10, "MB": 20, "GB": 30, "TB": 40]
        bytes = number << (powers[String(match.2)] ?? 0)
    }
}
