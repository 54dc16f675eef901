import ArgumentParser
import Foundation
import Postgres

/// `martlet demo`.
struct DemoCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show a whole move: there, verified, and back, while an application writes.",
        discussion: """
            Starts two servers of its own, fills a small web shop (see Demo/README.md), lets writers and readers loose on \
            it, moves it to the other server, compares both under load, cuts over, works on the new server, rolls back, \
            compares every row, and removes what it made. A report says how long writers stood still. Exits with 2 when a \
            comparison or a check fails.

            EXAMPLES
              martlet demo
              martlet demo --scale 0.05
              martlet demo --postgres-source 15 --postgres-target 17 --keep
            """
    )

    @Option(help: "Size of the shop; 1 is about 1 GB.")
    var scale = 1.0

    @Option(help: "How many sessions write.")
    var writers = 4

    @Option(help: "How many sessions read.")
    var readers = 2

    @Option(help: "Decides what the sessions do.")
    var seed: UInt64 = 1

    @Option(help: "Operations a second of all writers together.")
    var rate = 300.0

    @Option(help: ArgumentHelp("Version of the old server (default: the installed one).", valueName: "major"))
    var postgresSource: Int?

    @Option(help: ArgumentHelp("Version of the new server (default: the installed one).", valueName: "major"))
    var postgresTarget: Int?

    @Option(help: ArgumentHelp("How long a writer may stand still before the demo fails.", valueName: "ms"))
    var longestPause = 1000

    @Flag(help: "Print what was measured as JSON.")
    var json = false

    @Flag(help: "Keep both servers until Enter or ^C, and their directories afterwards.")
    var keep = false

    func validate() throws {
        guard (0.001...100).contains(scale) else { throw ValidationError("--scale takes a number from 0.001 to 100.") }
        guard (1...50).contains(writers) else { throw ValidationError("--writers takes a number from 1 to 50.") }
        guard (0...50).contains(readers) else { throw ValidationError("--readers takes a number from 0 to 50.") }
        guard longestPause > 0 else { throw ValidationError("--longest-pause takes a number above 0.") }
        guard rate > 0 else { throw ValidationError("--rate takes a number above 0.") }
    }

    func run(output: Output) async throws -> ExitStatus {
        let demo = Demo(
            wish: Demo.Wish(
                scale: scale,
                writers: writers,
                readers: readers,
                seed: seed,
                rate: rate,
                sourceMajor: postgresSource,
                targetMajor: postgresTarget,
                longestPause: .milliseconds(longestPause)
            ),
            output: output
        )
        return try await withDemoDirectory(keep: keep) { directory in
            try await demo.run(in: directory) { report, servers in
                if json {
                    try output.json(DemoFigures(report))
                } else {
                    output.result(report.text(width: output.resultWidth))
                }
                if keep { try await wait(servers, directory, output) }
                return report.problems.isEmpty ? .done : .foundProblems
            }
        }
    }

    private func wait(_ servers: DemoServers, _ directory: URL, _ output: Output) async throws {
        output.result("old server: \(servers.old.secretURI)\nnew server: \(servers.new.secretURI)")
        output.talk(Self.farewell(servers, directory))
        // ^C is one of the two ways to end the wait, not a failure.
        try? await waitForEnter()
        output.talk("Stopping both.")
    }

    /// What is kept, how it is started again, and how it is removed.
    static func farewell(_ servers: DemoServers, _ directory: URL) -> String {
        """
        Enter or ^C stops both servers. Their data and the logs of the move are kept in
          \(directory.path)
        To start the servers again, at the same addresses:
          \(servers.starts.joined(separator: "\n  "))
        To remove all of it, once they are stopped (martlet stops them now; later these do):
          \(servers.stops.joined(separator: "\n  "))
          rm -r '\(directory.path)'
        """
    }
}

/// Makes a directory for the servers and the spool, and removes it afterwards unless it is to be kept.
private func withDemoDirectory<Result>(keep: Bool, _ body: (URL) async throws -> Result) async throws -> Result {
    let name = "martlet-demo-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    let directory = FileManager.default.temporaryDirectory.appending(path: name, directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer {
        // What cannot be removed is in a directory for temporary files.
        if !keep { try? FileManager.default.removeItem(at: directory) }
    }
    return try await body(directory)
}

/// Waits for a line or the end of the standard input.
private func waitForEnter() async throws {
    while true {
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        if poll(&descriptor, 1, 0) > 0 { return }
        try await Task.sleep(for: .milliseconds(100))
    }
}
