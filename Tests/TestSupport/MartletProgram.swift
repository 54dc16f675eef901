import Foundation
import Subprocess
import SystemPackage

/// The built `martlet`, called from outside.
public struct MartletProgram: Sendable {
    /// Variables of the environment, on top of those of the tests.
    public var environment: [String: String]

    /// The program with these variables of the environment.
    public init(environment: [String: String] = [:]) {
        self.environment = environment
    }

    /// How the program ended, and what it wrote.
    public struct Outcome: Sendable {
        /// The exit status; 128 and the signal's number when a signal ended it.
        public let status: Int32
        /// What it wrote to stdout.
        public let output: String
        /// What it wrote to stderr.
        public let error: String
    }

    /// The program lies beside the program that runs the tests.
    public static var path: String {
        let tests = ProcessInfo.processInfo.arguments[0]
        let folder = URL(filePath: tests).deletingLastPathComponent().path(percentEncoded: false)
        return FileManager.default.isExecutableFile(atPath: folder + "martlet")
            ? folder + "martlet"
            : URL(filePath: #filePath).appending(path: "../../../.build/debug/martlet").standardized.path
    }

    /// Runs it to its end.
    public func callAsFunction(_ arguments: String...) async throws -> Outcome {
        try await run(arguments)
    }

    /// Runs it to its end; `meddle` gets its process number while it runs.
    public func run(_ arguments: [String], meddle: (Int32) async throws -> Void = { _ in }) async throws -> Outcome {
        var variables: [Environment.Key: String?] = ["NO_COLOR": "1"]
        for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
        var failure: (any Error)?
        let result = try await Subprocess.run(
            .path(FilePath(Self.path)),
            arguments: Arguments(arguments),
            environment: .inherit.updating(variables),
            input: .none,
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        ) { execution in
            do { try await meddle(execution.processIdentifier.value) } catch {
                // A program that nobody ends any more would be waited for.
                kill(execution.processIdentifier.value, SIGKILL)
                failure = error
            }
        }
        if let failure { throw MeddlingFailed(failure: failure, said: result.standardError) }
        let status =
            switch result.terminationStatus {
            case .exited(let status): status
            case .signaled(let signal): 128 + signal
            }
        return Outcome(status: status, output: result.standardOutput, error: result.standardError)
    }
}

/// What a test did while a program ran has failed; it may be the program's fault.
private struct MeddlingFailed: Error, CustomStringConvertible {
    let failure: any Error
    let said: String?

    var description: String { "\(failure)\nmartlet wrote: \(said ?? "")" }
}
