import ArgumentParser
import Engine
import Foundation
import Move
import Postgres

/// `martlet pause`.
struct PauseCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Have a move hold: nothing is copied or applied until martlet resume.",
        discussion: """
            The martlet that runs the move holds where it is, and so does one that is started later. Changes are still \
            received into the spool, so that the source need not keep its log. The snapshot of a copy stays open; \
            martlet status tells for how long it has kept VACUUM on the source from removing what died since.

            EXAMPLES
              martlet pause --target postgresql://app@new/shop
            """
    )

    @OptionGroup var target: TargetOption

    @Flag(help: "Print since when it is paused as JSON.")
    var json = false

    private struct Answer: Encodable {
        var paused = true
        var since: Date
        /// Whether a martlet runs the move, and holds.
        var isHeld: Bool
    }

    func run(output: Output) async throws -> ExitStatus {
        let target = try target.connection()
        let migration = try await Asker(target: target, output: output).migration()
        let answer = try await withNeutralConnection(to: target, application: "martlet pause") { journal in
            let phases = Phase.allCases.filter(\.canPause).map(\.rawValue)
            guard let since = try Journal.pause(in: phases, on: journal) else { throw Self.refused(migration.phase) }
            var isRun = try Lease.isTaken(on: journal)
            while isRun, try !Journal.isPauseObeyed(on: journal) {
                try await Task.sleep(for: .milliseconds(50))
                isRun = try Lease.isTaken(on: journal)
            }
            return Answer(since: since, isHeld: isRun)
        }
        if json {
            try output.json(answer)
        } else {
            output.result(
                prose: answer.isHeld
                    ? "paused: nothing is copied or applied until martlet resume"
                    : "paused: no martlet runs the move now; one that is started receives changes, and holds until martlet resume"
            )
        }
        return .done
    }

    private static func refused(_ name: String) -> PostgresError {
        let phase = Phase(rawValue: name)
        return PostgresError(
            "cannot pause the move now",
            detail: "It is in phase \"\(phase?.title ?? name)\".",
            hint: phase?.isLast == true
                ? "Nothing is copied or applied any more." : "Writers wait for it; it takes a few seconds, or gives up."
        )
    }
}

/// `martlet resume`.
struct ResumeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a move go on that martlet pause holds.",
        discussion: """
            EXAMPLES
              martlet resume --target postgresql://app@new/shop
            """
    )

    @OptionGroup var target: TargetOption

    @Flag(help: "Print for how long it was paused as JSON.")
    var json = false

    private struct Answer: Encodable {
        var paused = false
        /// For how long it was paused; nil when it was not.
        var seconds: Double?
        /// Whether a martlet runs the move.
        var isRunning: Bool
    }

    func run(output: Output) async throws -> ExitStatus {
        let target = try target.connection()
        _ = try await Asker(target: target, output: output).migration()
        let answer = try await withNeutralConnection(to: target, application: "martlet resume") { journal in
            Answer(seconds: try Journal.resume(on: journal), isRunning: try Lease.isTaken(on: journal))
        }
        if json {
            try output.json(answer)
        } else if let seconds = answer.seconds {
            output.result(prose: "the move goes on after having been paused for \(Painter.duration(seconds))")
            if !answer.isRunning { output.talk(prose: "no martlet runs it now; start it with martlet migrate") }
        } else {
            output.result("the move was not paused")
        }
        return .done
    }
}
