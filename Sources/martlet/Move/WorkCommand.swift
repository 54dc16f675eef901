import ArgumentParser
import Foundation
import Move
import Postgres
import Sync
import Synchronization

/// `martlet work`.
struct WorkCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "work",
        abstract: "Help a running move to copy, from another machine.",
        discussion: """
            Joins the load of the move that martlet migrate runs into the target: copies parts of tables and builds indexes, \
            until nothing is left to do. Start as many as you like, on any machines that reach both servers. One that dies or \
            is cut off loses what it has in hand to the others, and nothing is copied twice. When martlet migrate is stopped \
            and started again, it is joined anew.

            EXAMPLES
              martlet work --source postgresql://app@old/shop \\
                  --target postgresql://app@new/shop
              martlet work --source service=old --target service=new --jobs 4 \\
                  --wait 10m
            """
    )

    @OptionGroup var endpoints: EndpointOptions

    @Option(help: "How many pieces are worked at side by side.")
    var jobs = 2

    @Option(
        help: ArgumentHelp(
            "How long to wait for a move to begin, or for a server that cannot be reached, such as 10m.",
            valueName: "time"
        )
    )
    var wait = WaitTime(.zero)

    func validate() throws {
        guard (1...64).contains(jobs) else { throw ValidationError("--jobs takes a number from 1 to 64.") }
    }

    func run(output: Output) async throws -> ExitStatus {
        let endpoints = try endpoints.endpoints()
        let state = Mutex("connecting")
        let tell: @Sendable (String) -> Void = { event in
            state.withLock { $0 = event }
            if !output.isTerminal { output.talk("\(Date().formatted(Self.clock))  \(event)") }
        }
        let progress = WorkProgress { if !output.isTerminal { output.talk("\(Date().formatted(Self.clock))  \($0)") } }
        let run = WorkRun(endpoints: endpoints, jobs: jobs, wait: wait.duration, progress: progress, tell: tell)
        do {
            let outcome = try await LiveView(output: output).show(
                {
                    var painter = WorkPainter(output: output, endpoints: endpoints, progress: progress)
                    return { width in painter.lines(state.withLock(\.self), width: width) }
                },
                leaves: true,
                while: { try await run.run() }
            )
            output.result(prose: Self.farewell(outcome, progress.total))
            return .done
        } catch {
            guard Task.isCancelled else { throw error }
            let text = "stopped; what was in hand goes to others. \(WorkPainter.summary(progress.total))"
            throw Interrupted(cause: error, text: text)
        }
    }

    private static let clock = MigrateCommand.clock

    private static func farewell(_ outcome: WorkRun.Outcome, _ total: WorkProgress.Total) -> String {
        switch outcome {
        case .loadIsOver: "the load is done: \(WorkPainter.summary(total))"
        case .nothingLeft(let phase): "nothing is left to copy: the move is in phase \"\(phase.title)\""
        }
    }
}

/// A time on the command line: `90s`, `10m`, `2h`.
struct WaitTime: ExpressibleByArgument, Sendable, CustomStringConvertible {
    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    init?(argument: String) {
        guard let match = argument.wholeMatch(of: /([0-9]{1,6}) ?(s|m|min|h)/), let number = Int(match.1) else {
            return nil
        }
        let seconds = match.2 == "s" ? 1 : match.2 == "h" ? 3600 : 60
        duration = .seconds(number * seconds)
    }

    var description: String {
        let seconds = duration.components.seconds
        if seconds > 0, seconds % 3600 == 0 { return "\(seconds / 3600)h" }
        return seconds > 0 && seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds)s"
    }

    var defaultValueDescription: String { description }
}
