import ArgumentParser
import Cluster

/// Removes a sandbox.
struct SandboxRemove: Command {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Stop a sandbox and remove it with its data.",
        discussion: """
            The data are gone for good; nothing is asked.

            EXAMPLES
              martlet sandbox remove shop
            """
    )

    @Argument(help: "Name of the sandbox.")
    var name: String

    func run(output: Output) async throws -> ExitStatus {
        try await Sandboxes().remove(name)
        output.talk(prose: "sandbox \"\(name)\" is removed")
        return .done
    }
}
