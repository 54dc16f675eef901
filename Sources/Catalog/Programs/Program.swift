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
    /// What a cancelled task does to it.
    package var ending = Ending.kill

    /// How a program is ended before its time; what has not ended within five seconds is killed.
    package enum Ending: Sendable {
        /// At once.
        case kill
        /// By SIGTERM, and all that it has started.
        case request
        /// By SIGINT, as ^C does.
        case interrupt
    }

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
            platformOptions: .ownSession(ending: ending),
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

    /// The same, with what is done to it before it is killed.
    fileprivate static func ownSession(ending: Program.Ending) -> PlatformOptions {
        var options = ownSession
        switch ending {
        case .kill: break
        case .request:
            options.teardownSequence = [
                .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(5))
            ]
        case .interrupt:
            options.teardownSequence = [.send(signal: .interrupt, allowedDurationToNextStep: .seconds(5))]
        }
        return options
    }
}
