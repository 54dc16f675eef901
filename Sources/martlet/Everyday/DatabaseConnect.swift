import ArgumentParser
import Catalog
import Foundation
import Postgres

/// `martlet db connect`.
struct DatabaseConnect: Command {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Open psql on the database.",
        discussion: """
            What follows -- goes to psql.

            EXAMPLES
              martlet db connect
              martlet db connect --env prod -- -c "SELECT count(*) FROM users"
            """
    )

    @OptionGroup var environment: EnvironmentOptions

    @Argument(parsing: .postTerminator, help: "Arguments of psql.")
    var arguments: [String] = []

    var stopsQuietly: Bool { true }

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        let installation = try await Installation.psql()
        let path = try installation.program("psql")
        let (connection, secrets) = try await environment.connection().forChildProcess
        for (name, value) in secrets { setenv(name, value, 1) }
        if let libraries = installation.additionalEnvironment["LD_LIBRARY_PATH"] {
            setenv("LD_LIBRARY_PATH", libraries, 1)
        }
        // A person's own prompt would not show where this is.
        let title = environment.isProtected ? "%[%033[1;31m%]\(environment.name)%[%033[0m%]" : environment.name
        let prompt = ["-v", "PROMPT1=\(title.replacing("%[", with: "%[")) %/%R%x%# "]
        let words = [path, "-d", connection] + (output.isTerminal ? prompt : []) + arguments
        throw Self.become(words)
    }

    /// Replaces this program by another, so that the terminal and its signals are the other's.
    ///
    /// - Returns: why it could not.
    private static func become(_ words: [String]) -> PostgresError {
        for signal in [SIGINT, SIGTERM, SIGHUP] { Foundation.signal(signal, SIG_DFL) }
        // Threads of a pool block nearly all signals, and the program would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        var pointers = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        execv(words[0], &pointers)
        return PostgresError(
            "could not run \"\(words[0])\"",
            detail: "The system said: \(String(cString: strerror(errno)))."
        )
    }
}
