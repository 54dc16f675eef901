import ArgumentParser
import Engine
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

    func run(output: Output) async throws -> ExitStatus {
        let target = try target.connection()
        _ = try await Asker(target: target, output: output).migration()
        try await withNeutralConnection(to: target, application: "martlet status") { connection in
            var screen = Screen(output: output)
            var painter = Painter(output: output)
            repeat {
                guard let state = try read(connection) else { break }
                if json {
                    output.result(state.json)
                } else {
                    let lines = painter.lines(state.report, width: watch ? screen.width : 200)
                    if watch, output.isTerminal {
                        screen.draw(lines + [state.runner])
                    } else {
                        output.result((lines + [state.runner]).joined(separator: "\n"))
                    }
                }
                if watch { try await Task.sleep(for: .seconds(1)) }
            } while watch
        }
        return .done
    }

    private struct State {
        let report: StatusReport
        let json: String
        let runner: String
    }

    private func read(_ connection: Connection) throws -> State? {
        guard try Journal.exists(on: connection),
            let row = try connection.query("SELECT report FROM martlet.status").first
        else { return nil }
        let json: String = try row("report")
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        var report = try decoder.decode(StatusReport.self, from: Data(json.utf8))
        if let migration = try Journal.migration(on: connection), let phase = Phase(rawValue: migration.phase) {
            report.phase = phase
        }
        let holder = try Lease.holder(on: connection)
        let who = holder.map { "process \($0.pid) on host \"\($0.host)\"" } ?? "nobody"
        let isRunning = try Lease.isTaken(on: connection)
        return State(
            report: report,
            json: json,
            runner: isRunning ? "run by \(who)" : "not running; last run by \(who)"
        )
    }
}
