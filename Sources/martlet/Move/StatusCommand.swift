import ArgumentParser
import Foundation
import Move
import Postgres

/// `martlet status`.
struct StatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how far a move is, from anywhere that reaches the target.",
        discussion: """
            EXAMPLES
              martlet status --target postgresql://app@new/shop
              martlet status --target service=new --watch
              martlet status --target service=new --json | jq .lag
            """
    )

    @OptionGroup var target: TargetOption

    @Flag(help: "Print as JSON.")
    var json = false

    @Flag(help: "Show it again every second, until ^C.")
    var watch = false

    var stopsQuietly: Bool { true }

    func run(output: Output) async throws -> ExitStatus {
        let target = try target.connection()
        _ = try await Asker(target: target, output: output).migration()
        try await withNeutralConnection(to: target, application: "martlet status") { connection in
            var painter = Painter(output: output)
            repeat {
                guard let reading = try StatusReading.read(connection, target: target.place) else {
                    output.talk("the move is over, and its journal removed")
                    break
                }
                if json {
                    try output.json(StatusDocument(reading))
                } else if watch, output.isTerminal {
                    output.screen.draw(lines(reading, &painter, width: output.screen.width))
                } else {
                    output.result(lines(reading, &painter, width: output.resultWidth).joined(separator: "\n"))
                }
                if watch { try await Task.sleep(for: .seconds(1)) }
            } while watch
        }
        return .done
    }

    private func lines(_ reading: StatusReading, _ painter: inout Painter, width: Int?) -> [String] {
        let who = reading.who.map { "process \($0.process) on host \"\($0.host)\"" } ?? "nobody"
        let runner =
            switch reading.runner {
            case .running: "run by \(who)"
            case .waiting: "run by \(who), which tries to reach a server again"
            case .stopped: "last run by \(who)"
            }
        return painter.lines(reading.report, width: width, reading: reading) + Layout.wrap(runner, to: width)
    }
}
