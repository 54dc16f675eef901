import ArgumentParser
import Cluster

/// Lists the sandboxes.
struct SandboxList: Command {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the sandboxes.",
        discussion: """
            A sandbox is running, stopped (its data wait for the next start) or incomplete (the command that made \
            it was killed; start or remove it).

            EXAMPLES
              martlet sandbox list
              martlet sandbox list --json \\
                  | jq -r '.[] | select(.status == "running") | .connection'
            """
    )

    @Flag(help: "Print a JSON array of sandboxes.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let sandboxes = Sandboxes()
        let list = sandboxes.list()
        if json {
            try output.json(list.map(SandboxDescription.init))
            return .done
        }
        guard !list.isEmpty else {
            output.talk(prose: "no sandboxes in \(sandboxes.directory); make one with \"martlet sandbox start NAME\"")
            return .done
        }
        var table = TextTable(["NAME", "STATUS", "POSTGRES", "IS", "CONNECTION"])
        for sandbox in list {
            let kind = sandbox.origin.map { "\($0.kind.rawValue) of \($0.source)" } ?? "-"
            table.add([
                sandbox.name, sandbox.status.rawValue, sandbox.major.map(String.init) ?? "-", kind,
                sandbox.uri() ?? "-",
            ])
        }
        output.result(table.text)
        return .done
    }
}
