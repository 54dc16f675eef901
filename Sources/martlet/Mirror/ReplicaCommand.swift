import ArgumentParser
import Cluster
import Foundation
import Postgres

/// The group of commands around replicas.
struct ReplicaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replica",
        abstract: "Make read replicas of a server, look at them, promote and remove them.",
        discussion: """
            A replica is a sandbox that follows another server by streaming replication, through a slot of its own. \
            It can be read, not written. It is stopped and started as any sandbox is.

            EXAMPLES
              martlet replica create reader --from shop
              martlet replica status
              martlet replica promote reader
              martlet replica remove reader
            """,
        subcommands: [ReplicaCreate.self, ReplicaStatus.self, ReplicaPromote.self, ReplicaRemove.self]
    )
}

/// `martlet replica create`.
struct ReplicaCreate: Command {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a replica of a server and start it.",
        discussion: """
            pg_basebackup copies the data directory, so the programs of the source's major version must be installed \
            here, and the role that connects must have the right to replicate. On the source a replication slot is \
            made, martlet_NAME, which keeps the log that the replica has not read yet: remove a replica that nobody \
            needs. Prints the connection string.

            EXAMPLES
              martlet replica create reader --from shop
              martlet replica create reports --from "$PRODUCTION" --tcp 5433
            """
    )

    @Argument(help: "Name of the replica: lower-case letters, digits, \"-\" and \"_\".")
    var name: String

    @Option(help: ArgumentHelp("The server to follow: a sandbox's name, or a connection string.", valueName: "server"))
    var from: String

    @Option(help: ArgumentHelp("Listen on this port of 127.0.0.1 too.", valueName: "port|auto"))
    var tcp: SandboxStart.Port?

    @Option(name: .customLong("set"), help: ArgumentHelp("A server setting; may be repeated.", valueName: "name=value"))
    var settings: [SandboxStart.Setting] = []

    func run(output: Output) async throws -> ExitStatus {
        let replica = try await Self.create(
            name,
            from: from,
            tcp: tcp?.tcp,
            settings: Dictionary(settings.map { ($0.name, $0.value) }) { $1 },
            output
        )
        output.result(replica.uri() ?? "")
        return .done
    }

    /// Makes a replica while its progress is shown.
    static func create(
        _ name: String,
        from: String,
        tcp: ServerConfiguration.TCP?,
        settings: [String: String],
        _ output: Output
    ) async throws -> Sandbox {
        let sandboxes = Sandboxes()
        let source = try await sandboxes.source(from)
        let view = CopyView("\(source.title) → \(name)")
        let replica = try await LiveView(output: output).show({ { _ in [view.line] } }) {
            try await sandboxes.makeReplica(name, of: source, tcp: tcp, settings: settings) { view.note($0, $1) }
        }
        output.talk(
            prose: "replica \"\(name)\" of \(source.title) follows it, made in \(Painter.elapsed(view.seconds))"
        )
        return replica
    }
}

/// `martlet replica status`.
struct ReplicaStatus: Command {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how far replicas are behind.",
        discussion: """
            Bytes are what the replica has not replayed yet of what its source has written; the time is that of the \
            oldest transaction which it lacks. The exit status is 2 when a replica does not follow.

            EXAMPLES
              martlet replica status
              martlet replica status reader --json
            """
    )

    @Argument(help: "Name of a replica (default: all).")
    var name: String?

    @Flag(help: "Print as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let sandboxes = Sandboxes()
        if let name, try sandboxes.find(name).origin?.kind != .replica {
            throw PostgresError("sandbox \"\(name)\" is not a replica")
        }
        let replicas = sandboxes.list().filter { $0.origin?.kind == .replica && (name == nil || $0.name == name) }
        var states: [ReplicaState] = []
        for replica in replicas { states.append(await ReplicaState.read(replica)) }
        if json {
            try output.json(states)
        } else if states.isEmpty {
            output.talk(prose: "no replicas; make one with \"martlet replica create NAME --from SERVER\"")
        } else {
            var table = TextTable(["NAME", "OF", "STATE", "BEHIND", "SINCE", "SLOT KEEPS"])
            for state in states { table.add(state.cells) }
            output.result(table.text)
        }
        return states.allSatisfy(\.isFollowing) ? .done : .foundProblems
    }
}

extension ReplicaState {
    fileprivate var cells: [String] {
        [
            name, source, state, behindBytes.map(Painter.size) ?? "-",
            behindSeconds.map { $0 < 1 ? "now" : Painter.duration($0) } ?? "-", keptBytes.map(Painter.size) ?? "-",
        ]
    }
}

/// `martlet replica promote`.
struct ReplicaPromote: Command {
    static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract: "Make a replica a server of its own, which can be written.",
        discussion: """
            It follows its source no longer, and its slot there is dropped. There is no way back: a new replica takes \
            its place.

            EXAMPLES
              martlet replica promote reader
            """
    )

    @Argument(help: "Name of the replica.")
    var name: String

    func run(output: Output) async throws -> ExitStatus {
        try await Sandboxes().promote(name)
        output.result("replica \"\(name)\" is a server of its own now")
        return .done
    }
}

/// `martlet replica remove`.
struct ReplicaRemove: Command {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Stop a replica, remove its data, and drop its slot on the source.",
        discussion: """
            Also one that was left half-made is removed.

            EXAMPLES
              martlet replica remove reader
            """
    )

    @Argument(help: "Name of the replica.")
    var name: String

    @Flag(help: "The source is gone: leave the slot there.")
    var sourceIsGone = false

    func run(output: Output) async throws -> ExitStatus {
        let sandboxes = Sandboxes()
        guard try sandboxes.find(name).origin?.kind == .replica else {
            throw PostgresError(
                "sandbox \"\(name)\" is not a replica",
                hint: "To remove it: martlet sandbox remove \(name)"
            )
        }
        try await sandboxes.remove(name, sourceIsGone: sourceIsGone)
        output.result("replica \"\(name)\" is removed")
        return .done
    }
}
