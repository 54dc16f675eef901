import Foundation
package import Subprocess
import SystemPackage

/// A program that is run to its end, with what it printed.
///
/// It has a session of its own, so that ^C in our terminal does not reach it; a cancelled task kills it.
package struct Program: Sendable {
    package var path: String
    package var arguments: [String]
    /// What its environment has that ours has not; nil takes a variable away.
    package var environment: [String: String?]
    /// The folder that it is run in.
    package var folder: String
    /// Whether a cancelled task asks it and all that it has started to end, with SIGTERM, before it kills them.
    package var endsByRequest = false

    package init(
        path: String,
        arguments: [String] = [],
        environment: [String: String?] = [:],
        folder: String = "/"
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.folder = folder
    }

    /// What a finished program left.
    package struct Outcome: Sendable {
        package let isSuccess: Bool
        /// Standard output.
        package let output: String
        /// Standard error, without the white space around it.
        package let complaint: String
    }

    /// Runs it, and does not call a failing exit status an error.
    ///
    /// Throws when it prints more than 64 MB: for so much address space is asked before it starts.
    package func run(input: String = "") async throws -> Outcome {
        let result = try await Subprocess.run(
            .path(FilePath(path)),
            arguments: Arguments(arguments),
            environment: wholeEnvironment,
            workingDirectory: FilePath(folder),
            platformOptions: endsByRequest ? .ownSessionEndingByRequest : .ownSession,
            input: .string(input),
            output: .string(limit: 64 << 20),
            error: .string(limit: 1 << 20)
        )
        return Outcome(
            isSuccess: result.terminationStatus.isSuccess,
            output: result.standardOutput,
            complaint: result.standardError.trimmingCharacters(in: .whitespacesAndNewlines)
        )
    }

    /// Ours with the changes of ``environment``.
    package var wholeEnvironment: Subprocess.Environment {
        .inherit.updating(
            Dictionary(uniqueKeysWithValues: environment.map { (.init(stringLiteral: $0.key), $0.value) })
        )
    }
}

extension PlatformOptions {
    /// A session of its own, so that ^C in our terminal does not reach the program.
    package static var ownSession: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        return options
    }

    /// The same, and SIGTERM for all of the session before it is killed.
    fileprivate static var ownSessionEndingByRequest: PlatformOptions {
        var options = ownSession
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(5))
        ]
        return options
    }
}
