import ArgumentParser
import Cluster

/// Stops a sandbox.
struct SandboxStop: Command {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop a sandbox and keep its data.",
        discussion: """
            Sessions are broken off, and what was committed is written. Stopping a stopped sandbox is fine.

            EXAMPLES
              martlet sandbox stop shop
            """
    )

    @Argument(help: "Name of the sandbox.")
    var name: String

    func run(output: Output) async throws -> ExitStatus {
        try await Sandboxes().stop(name)
        output.talk(prose: "sandbox \"\(name)\" is stopped; \"martlet sandbox start \(name)\" starts it again")
        return .done
    }
}
