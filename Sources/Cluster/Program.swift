import Foundation
import Postgres
import Subprocess
import SystemPackage

/// A program run to its end, with what it printed.
struct Program: Sendable {
    var path: String
    var arguments: [String] = []
    var environment = Subprocess.Environment.inherit
    var user: ServerUser?

    /// What a finished program left.
    struct Outcome: Sendable {
        let isSuccess: Bool
        /// Standard output and standard error in the order they were written, at most 1 MiB.
        let output: String
    }

    /// Runs it, and does not call a failing exit status an error.
    ///
    /// A cancelled task kills the program.
    func run(input: String = "") async throws -> Outcome {
        let result = try await Subprocess.run(
            .path(FilePath(path)),
            arguments: Arguments(arguments),
            environment: environment,
            workingDirectory: "/",
            platformOptions: .server(as: user),
            input: .string(input),
            output: .string(limit: 1 << 20),
            error: .combinedWithOutput
        )
        return Outcome(isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput)
    }

    /// Runs a shell script as the server's account, with its arguments as `$1`, `$2`….
    static func script(
        _ text: String,
        _ arguments: [String],
        binaries: ServerBinaries? = nil,
        input: String = ""
    ) async throws -> Outcome {
        try await Program(
            path: "/bin/sh",
            arguments: ["-c", text, "sh"] + arguments,
            environment: binaries?.environment ?? .inherit,
            user: .needed
        ).run(input: input)
    }
}
