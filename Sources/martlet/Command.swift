import ArgumentParser
import Postgres

/// A command that does something.
///
/// What it throws is printed by ``CommandLineRun``, which also decides the exit status. Its task is cancelled by
/// ^C and by SIGTERM; it should then leave what a second run can go on from, and throw whatever it gets.
protocol Command: AsyncParsableCommand, Sendable {
    /// Does the work; results go through `output`.
    func run(output: Output) async throws -> ExitStatus

    /// Whether a signal ends it at once and without a word, as there is nothing to clean up.
    var stopsQuietly: Bool { get }
}

extension Command {
    var stopsQuietly: Bool { false }

    /// What the parser's own entry point would call; ours goes through ``CommandLineRun``.
    func run() async throws {
        _ = try await run(output: Output())
    }
}

/// How a command ended, as the shell sees it.
enum ExitStatus: Int32, Sendable {
    /// It did what was asked.
    case done = 0
    /// It could not.
    case failed = 1
    /// It did what was asked, and found differences or problems.
    case foundProblems = 2
    /// It was called wrongly (`EX_USAGE` in sysexits.h).
    case usage = 64
    /// It was interrupted, and can be resumed.
    case interrupted = 130
}

/// Thrown by a command that was interrupted and has more to say about it than that.
struct Interrupted: Error {
    /// What came out of the interruption; told as well, unless it is only the cancellation itself.
    let cause: any Error
    /// One line for people.
    let text: String
}

/// Thrown when a value on the command line makes no sense; what is wrong with it is told as any other error is.
struct WrongCall: Error {
    let error: PostgresError
}
