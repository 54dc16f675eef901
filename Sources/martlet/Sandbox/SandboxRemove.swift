import ArgumentParser
import Cluster

/// Removes a sandbox.
struct SandboxRemove: Command {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Stop a sandbox and remove it with its data.",
        discussion: """
            The data are gone for good; nothing is asked. Of a replica the slot on its source is dropped, too.

            EXAMPLES
              martlet sandbox remove shop
            """
    )

    @Argument(help: "Name of the sandbox.")
    var name: String

    @Flag(help: "The server it was made from is gone: leave what it has there, a slot or a database.")
    var sourceIsGone = false

    func run(output: Output) async throws -> ExitStatus {
        try await Sandboxes().remove(name, sourceIsGone: sourceIsGone)
        output.talk(prose: "sandbox \"\(name)\" is removed")
        return .done
    }
}
