import Catalog
import Foundation
import Postgres
import Subprocess
import Synchronization
import SystemPackage

/// The watchdog: a shell that runs our server, and ends it when its standard input ends.
///
/// The write end of that pipe is ours alone, so it closes however we die, `kill -9` included. The shell
/// then sends the server SIGQUIT (an immediate shutdown), waits until it is gone, and removes a
/// throw-away directory. The reasons are in docs/design/0002-watchdog.md.
///
///     we → shell    "initialise PASSWORD"   "start"   end of file
///     shell → us    "initialised STATUS"    "started PID"   "ended PID STATUS"
final class Keeper: Sendable {
    private struct State {
        var initialised: Int32?
        var process: Int32?
        var endings = 0
        var isGone = false
    }

    private let state = Mutex(State())
    private let words: AsyncStream<String>
    private let sender: AsyncStream<String>.Continuation
    private let directory: ServerDirectory
    private let binaries: Installation

    init(directory: ServerDirectory, binaries: Installation) {
        self.directory = directory
        self.binaries = binaries
        (words, sender) = AsyncStream.makeStream()
    }

    /// The server's process while it runs.
    var process: Int32? { state.withLock(\.process) }

    /// How often a server has ended, so that an end between two looks is not missed.
    var endings: Int { state.withLock(\.endings) }

    /// Whether the shell has ended, and the server with it.
    var isGone: Bool { state.withLock(\.isGone) }

    /// The exit status of initdb once it has ended.
    var initialised: Int32? { state.withLock(\.initialised) }

    /// Asks for a new data directory.
    func initialise(password: String) {
        state.withLock { $0.initialised = nil }
        sender.yield("initialise \(password)")
    }

    /// Asks for a start.
    func start() {
        sender.yield("start")
    }

    /// Ends the server, if it runs, and then ``run(removing:isDurable:)``.
    func finish() {
        sender.finish()
    }

    /// Runs the shell until ``finish()``; must not be cancelled, because that would kill the shell and not the server.
    func run(removing removed: [String], isDurable: Bool) async throws {
        defer { state.withLock { $0 = State(initialised: $0.initialised, endings: $0.endings + 1, isGone: true) } }
        let arguments = [directory.path, binaries.directory, isDurable ? "" : "--no-sync"] + removed
        let shell = Program.ofServer(script: Self.script, arguments, environment: binaries.serverEnvironment)
        _ = try await Subprocess.run(
            .path(FilePath(shell.path)),
            arguments: Arguments(shell.arguments),
            environment: shell.wholeEnvironment,
            workingDirectory: "/",
            platformOptions: .ownSession,
            input: .inputWriter,
            output: .sequence,
            error: .discarded
        ) { execution in
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for try await line in execution.standardOutput.strings() { self.note(line) }
                }
                for await word in words {
                    _ = try await execution.standardInputWriter.write(word + "\n")
                }
                try await execution.standardInputWriter.finish()
                try await group.waitForAll()
            }
        }
    }

    private func note(_ line: String) {
        let parts = line.split { $0 == " " || $0.isNewline }
        guard parts.count > 1, let number = Int32(parts[1]) else { return }
        state.withLock { state in
            switch parts[0] {
            case "initialised": state.initialised = number
            case "started": state.process = number
            case "ended":
                state.process = nil
                state.endings += 1
            default: break
            }
        }
    }

    /// The shell's script, `keeper.sh`.
    static let script = String(decoding: PackageResources.keeper_sh, as: UTF8.self)
}
