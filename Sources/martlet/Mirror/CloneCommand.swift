import ArgumentParser
import Cluster
import Foundation
import Postgres

/// The group of commands around clones.
struct CloneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone",
        abstract: "Make writable copies of a server, to rehearse on.",
        discussion: """
            A clone is a sandbox with everything that another server had at a moment: all its databases, roles and \
            settings that applications notice. It archives nothing, follows nobody, subscribes to nothing and runs no \
            scheduler's jobs.

            EXAMPLES
              martlet clone create --from shop
              martlet clone create --from "$PROD" --as rehearsal --ttl 4h --mask mask.sql
              martlet clone list
              martlet clone remove rehearsal
            """,
        subcommands: [CloneCreate.self, CloneList.self, CloneRemove.self],
        defaultSubcommand: CloneCreate.self
    )
}

/// `martlet clone create`.
struct CloneCreate: Command {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a clone of a server and start it.",
        discussion: """
            The data directory is shared block by block where the file system can do that (XFS, btrfs), which takes \
            seconds for any size; a command of yours may make a snapshot; otherwise pg_basebackup copies it. Where \
            nobody may copy files, as on managed servers, one database is copied by its rows (logical); template \
            makes a database beside it, on the same server. It says which, and why. The programs of the source's major version must be installed here. Files of --mask are run \
            by psql before anybody can connect. Prints the connection string.

            EXAMPLES
              martlet clone create --from shop --as rehearsal
              martlet clone create --from "$PROD" --ttl 4h --mask mask.sql --tcp auto
              martlet clone create --from big --snapshot-command 'zfs-copy "$1" "$2"'
              martlet clone create --from "$RDS" --as trial --provider logical
            """
    )

    @Option(help: ArgumentHelp("The server: a sandbox's name, or a connection string.", valueName: "server"))
    var from: String

    @Option(help: ArgumentHelp("Name of the clone (default: the source's with -clone).", valueName: "name"))
    var `as`: String?

    @Option(
        help: ArgumentHelp(
            "Copy by reflink, basebackup, logical or template (default: the best that fits).",
            valueName: "way"
        )
    )
    var provider: Way?

    @Option(
        help: ArgumentHelp(
            "A shell command that copies folder $1 to folder $2, which is not there yet.",
            valueName: "command"
        )
    )
    var snapshotCommand: String?

    @Option(help: ArgumentHelp("How long it lives: 90m, 4h, 2d (default: until it is removed).", valueName: "time"))
    var ttl: TimeToLive?

    @Option(
        name: .customLong("mask"),
        help: ArgumentHelp("SQL to run before anybody can connect; may be repeated.", valueName: "file")
    )
    var masks: [String] = []

    @Option(help: ArgumentHelp("Listen on this port of 127.0.0.1 too.", valueName: "port|auto"))
    var tcp: SandboxStart.Port?

    @Option(name: .customLong("set"), help: ArgumentHelp("A server setting; may be repeated.", valueName: "name=value"))
    var settings: [SandboxStart.Setting] = []

    func run(output: Output) async throws -> ExitStatus {
        let sandboxes = Sandboxes()
        let source = try await sandboxes.source(from)
        let name = self.as ?? Self.name(for: source.title)
        let wish = wish
        let (way, why) = try await sandboxes.provider(for: source, wish)
        output.talk(prose: "cloning \(source.title) by \(way.rawValue): \(why)")
        var files = SQLFiles(urls: masks.map { URL(filePath: $0).absoluteURL }, variables: [:])
        // A mask may \\connect to the next database, which would roll a transaction back; one that fails leaves no clone.
        files.commitsEach = true
        let masks = files
        let began = ContinuousClock.now
        let clone = try await make(name, of: source, way, wish, output) { connection in
            if !masks.urls.isEmpty { try await masks.run(in: connection) { output.talk($0) } }
        }
        if let ttl { try await Expiry.remind(after: ttl.seconds) }
        let end = wish.expires.map { ", until \(Expiry.text($0))" } ?? ""
        output.talk(
            prose:
                "clone \"\(name)\" of \(source.title) is ready after \(Painter.elapsed(began.duration(to: .now) / .seconds(1)))\(end)"
        )
        output.result(clone.uri(database: source.connection["dbname"] ?? "postgres") ?? "")
        return .done
    }

    private func make(
        _ name: String,
        of source: CopySource,
        _ way: CloneProvider,
        _ wish: Sandboxes.CloneWish,
        _ output: Output,
        prepare: @escaping @Sendable (ConnectionString) async throws -> Void
    ) async throws -> Sandbox {
        let sandboxes = Sandboxes()
        guard way != .logical else {
            return try await sandboxes.makeLogicalClone(name, of: source, wish) { server in
                try await LogicalClone(source: source, server: server, output: output).run()
            } prepare: {
                try await prepare($0)
            }
        }
        let view = CopyView("\(source.title) → \(name)")
        return try await LiveView(output: output).show({ { _ in [view.line] } }) {
            guard way != .template else {
                return try await sandboxes.makeDatabaseClone(name, of: source, wish) { try await prepare($0) }
            }
            return try await sandboxes.makeClone(name, of: source, way, wish) {
                view.note($0, $1)
            } prepare: {
                try await prepare($0)
            }
        }
    }

    /// A way to copy that can be asked for.
    enum Way: String, ExpressibleByArgument, CaseIterable {
        case reflink, basebackup, logical, template
    }

    private var wish: Sandboxes.CloneWish {
        var wish = Sandboxes.CloneWish()
        wish.provider = provider.flatMap { CloneProvider(rawValue: $0.rawValue) }
        (wish.command, wish.tcp) = (snapshotCommand, tcp?.tcp)
        wish.expires = ttl.map { Date.now.addingTimeInterval($0.seconds) }
        wish.settings = Dictionary(settings.map { ($0.name, $0.value) }) { $1 }
        return wish
    }

    private static func name(for title: String) -> String {
        let plain = title.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return String(plain.prefix(34)).trimmingCharacters(in: ["-"]) + "-clone"
    }

    /// `90m`, `4h`, `2d`.
    struct TimeToLive: ExpressibleByArgument, Sendable {
        let seconds: Double

        init?(argument: String) {
            guard let match = argument.wholeMatch(of: /(\d+)([smhd])/), let number = Double(match.1) else { return nil }
            let units: [Substring: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
            seconds = number * (units[match.2] ?? 1)
            guard seconds > 0 else { return nil }
        }
    }
}

/// `martlet clone list`.
struct CloneList: Command {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the clones.",
        discussion: """
            EXAMPLES
              martlet clone list
              martlet clone list --json
            """
    )

    @Flag(help: "Print a JSON array of sandboxes.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        for (name, failure) in await Sandboxes().removeExpired() {
            output.talk("clone \"\(name)\" had lived for its time, and is \(failure == nil ? "" : "not ")removed")
            if let failure { output.failure(failure) }
        }
        let clones = Sandboxes().list().filter { $0.origin?.kind == .clone }
        if json {
            try output.json(clones.map(SandboxDescription.init))
            return .done
        }
        guard !clones.isEmpty else {
            output.talk(prose: "no clones; make one with \"martlet clone create --from SERVER\"")
            return .done
        }
        var table = TextTable(["NAME", "OF", "BY", "STATUS", "UNTIL", "CONNECTION"])
        for clone in clones {
            let end = clone.origin?.expires.map(Expiry.text) ?? "-"
            table.add([
                clone.name, clone.origin?.source ?? "-", clone.origin?.provider ?? "-", clone.status.rawValue, end,
                clone.uri() ?? "-",
            ])
        }
        output.result(table.text)
        return .done
    }
}

/// `martlet clone remove`.
struct CloneRemove: Command {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Stop a clone and remove its data.",
        discussion: """
            Also one that was left half-made is removed.

            EXAMPLES
              martlet clone remove rehearsal
              martlet clone remove --expired
            """
    )

    @Argument(help: "Name of the clone.")
    var name: String?

    @Flag(help: "Remove all that have lived for their time.")
    var expired = false

    func validate() throws {
        guard (name == nil) == expired else { throw ValidationError("Name a clone, or give --expired.") }
    }

    func run(output: Output) async throws -> ExitStatus {
        let sandboxes = Sandboxes()
        guard let name else {
            let ended = await sandboxes.removeExpired()
            for (name, failure) in ended {
                if let failure { output.failure(failure) } else { output.result("clone \"\(name)\" is removed") }
            }
            return ended.allSatisfy { $0.failure == nil } ? .done : .failed
        }
        guard try sandboxes.find(name).origin?.kind == .clone else {
            throw PostgresError(
                "sandbox \"\(name)\" is not a clone",
                hint: "To remove it: martlet sandbox remove \(name)"
            )
        }
        try await sandboxes.remove(name)
        output.result("clone \"\(name)\" is removed")
        return .done
    }
}
