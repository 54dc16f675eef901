import ArgumentParser
import Cluster

/// Makes and starts a sandbox.
struct SandboxStart: Command {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start a sandbox, and make it when there is none of this name.",
        discussion: """
            Prints the connection string, a URI that needs no quotes in a shell. Starting a sandbox that runs \
            already is fine and prints the same; new settings restart it. It is ready to be a source or a \
            target of logical replication (wal_level = logical).

            EXAMPLES
              martlet sandbox start shop
              martlet sandbox start shop17 --postgres 17
              martlet sandbox start web --tcp auto
              martlet sandbox start tuned --set work_mem=64MB --set jit=off
              martlet sandbox start shop --json
              martlet sandbox start shop --with-replica
            """
    )

    @Argument(help: "Name of the sandbox: lower-case letters, digits, \"-\" and \"_\".")
    var name: String

    @Option(help: ArgumentHelp("Major version of a new sandbox (default: the installed one).", valueName: "major"))
    var postgres: Int?

    @Option(help: ArgumentHelp("Listen on this port of 127.0.0.1 too, with a password.", valueName: "port|auto"))
    var tcp: Port?

    @Option(name: .customLong("set"), help: ArgumentHelp("A server setting; may be repeated.", valueName: "name=value"))
    var settings: [Setting] = []

    @Flag(help: "Start a replica of it, too, NAME-replica, and make it when there is none.")
    var withReplica = false

    @Flag(help: "Print the sandbox as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let wish = Sandboxes.Wish(
            major: postgres,
            tcp: tcp?.tcp,
            settings: Dictionary(settings.map { ($0.name, $0.value) }) { $1 }
        )
        let sandbox = try await Sandboxes().start(name, wish)
        output.talk(prose: "sandbox \"\(name)\" runs PostgreSQL \(sandbox.major ?? 0) in \(sandbox.directory)")
        if withReplica { try await startReplica(output) }
        if json { try output.json(SandboxDescription(sandbox)) } else { output.result(sandbox.uri() ?? "") }
        return .done
    }

    private func startReplica(_ output: Output) async throws {
        let sandboxes = Sandboxes()
        let existing = sandboxes.list().first { $0.replicated == name }
        let replica: Sandbox
        if let existing, existing.status != .incomplete {
            replica = try await sandboxes.start(existing.name)
        } else {
            if let existing { try await sandboxes.remove(existing.name) }
            replica = try await ReplicaCreate.create("\(name)-replica", from: name, tcp: nil, settings: [:], output)
        }
        output.talk(prose: "replica \"\(replica.name)\": \(replica.uri() ?? "")")
    }

    /// A port number, or `auto`.
    struct Port: ExpressibleByArgument, Sendable {
        let tcp: ServerConfiguration.TCP

        init?(argument: String) {
            if argument == "auto" {
                tcp = .anyPort
            } else if let number = Int(argument), (1...65_535).contains(number) {
                tcp = .port(number)
            } else {
                return nil
            }
        }
    }

    /// `name=value`.
    struct Setting: ExpressibleByArgument, Sendable {
        let name: String
        let value: String

        init?(argument: String) {
            guard let match = argument.wholeMatch(of: /([A-Za-z_][A-Za-z0-9_.]*)=([^\n]*)/) else { return nil }
            name = match.1.lowercased()
            value = String(match.2)
        }
    }
}
