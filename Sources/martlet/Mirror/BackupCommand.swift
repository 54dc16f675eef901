import ArgumentParser
import Cluster
import Foundation
import Postgres
import Sync

/// The group of commands around backups.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Keep backups of a server, from which any moment can be restored.",
        discussion: """
            A base backup is verified as soon as it is taken. From the first one on a sandbox archives its log, and that \
            of another server is fetched by martlet backup receive, so every moment after it can be restored with \
            martlet restore. Where there is pgBackRest, Barman or WAL-G, restore uses their backups.

            EXAMPLES
              martlet backup take shop
              martlet backup take main --from "$PROD"
              martlet backup receive main
              martlet backup list shop
              martlet backup prune shop --keep 7
            """,
        subcommands: [BackupTake.self, BackupReceive.self, BackupList.self, BackupPrune.self, BackupRemove.self]
    )
}

/// `martlet backup take`.
struct BackupTake: Command {
    static let configuration = CommandConfiguration(
        commandName: "take",
        abstract: "Take a base backup of a running server and verify it.",
        discussion: """
            The first one restarts a sandbox, as that is what switching the archive on needs. Any other server is given \
            a name with --from, once; it is not restarted, and gets a replication slot, which keeps its log until \
            martlet backup receive, or the next backup or restore, has fetched it. The data are copied while it is used. \
            Nothing is left of a backup that was interrupted.

            EXAMPLES
              martlet backup take shop
              martlet backup take main --from "$PROD"
            """
    )

    @Argument(help: "Name of the sandbox, or of the server's backups.")
    var name: String

    @Option(help: ArgumentHelp("The server that gets this name, the first time.", valueName: "connection"))
    var from: String?

    func run(output: Output) async throws -> ExitStatus {
        let (sandboxes, backups) = (Sandboxes(), Backups())
        if let from {
            let server = try Environment.connection(from, or: "", option: "--from")
            try await backups.keep(server, as: name)
        } else if !backups.isKept(name), try !backups.isArchiving(sandboxes.find(name)) {
            output.talk(prose: "sandbox \"\(name)\" is restarted once, to archive its log from now on")
        }
        let view = CopyView("backup of \(name)")
        let backup = try await LiveView(output: output).show({ { _ in [view.line] } }) {
            do {
                return try await backups.take(of: name) { view.note($0, $1) }
            } catch {
                // Without a backup the log is of no use, and would fill the server's disk.
                if from != nil { try await withoutCancellation { try await backups.remove(of: name) } }
                throw error
            }
        }
        if from != nil {
            output.talk(
                prose: "the server keeps its log for \"\(name)\" from now on; martlet backup receive \(name) fetches it"
            )
        }
        let size = Painter.size(backup.bytes)
        output.result("backup \(backup.name): \(size) of data, verified, in \(Painter.elapsed(view.seconds))")
        return .done
    }
}

/// `martlet backup receive`.
struct BackupReceive: Command {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Fetch the log of a server as it is written, until ^C.",
        discussion: """
            For a server that martlet backup take --from has named; best run by systemd. What was committed is safe here \
            a moment later. While it does not run the server keeps its log, and its disk fills.

            EXAMPLES
              martlet backup receive main
            """
    )

    @Argument(help: "Name of the server's backups.")
    var name: String

    func run(output: Output) async throws -> ExitStatus {
        output.talk(prose: "fetching the log of \"\(name)\"; ^C stops, and it goes on when run again")
        do {
            try await Backups().receive(name) { output.talk(prose: $0) }
        } catch {
            guard Task.isCancelled else { throw error }
            throw Interrupted(cause: CancellationError(), text: "stopped; the server keeps its log until it is fetched")
        }
        return .done
    }
}

/// `martlet backup list`.
struct BackupList: Command {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the backups of a server.",
        discussion: """
            Every moment after the end of the first one can be restored.

            EXAMPLES
              martlet backup list shop
              martlet backup list shop --json
            """
    )

    @Argument(help: "Name of the sandbox, or of the server's backups.")
    var name: String

    @Flag(help: "Print as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let list = Backups().list(of: name)
        if json {
            try output.json(list)
            return .done
        }
        guard !list.isEmpty else {
            output.talk(prose: "no backups of \"\(name)\"; take one with \"martlet backup take \(name)\"")
            return .done
        }
        var table = TextTable(["BACKUP", "ENDED", "POSTGRES", "TIMELINE", "FROM", "TO", "SIZE"])
        for backup in list {
            table.add([
                backup.name, RestoreTarget.time(backup.ended).title, "\(backup.major)", "\(backup.timeline)",
                "\(backup.start)", "\(backup.stop)", Painter.size(backup.bytes),
            ])
        }
        output.result(table.text)
        return .done
    }
}

/// `martlet backup prune`.
struct BackupPrune: Command {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove old backups of a server, and the log that only they need.",
        discussion: """
            The newest ones stay, and every moment after the end of the oldest of them can be restored.

            EXAMPLES
              martlet backup prune shop --keep 7
              martlet backup take shop && martlet backup prune shop --keep 7
            """
    )

    @Argument(help: "Name of the sandbox, or of the server's backups.")
    var name: String

    @Option(help: ArgumentHelp("How many stay.", valueName: "count"))
    var keep: Int

    @Flag(help: "Only tell what would be removed.")
    var dryRun = false

    func validate() throws {
        guard keep > 0 else {
            throw ValidationError("--keep takes a number above 0; martlet backup remove removes all of them.")
        }
    }

    func run(output: Output) async throws -> ExitStatus {
        let removed = try await Backups().prune(name, keeping: keep, rehearses: dryRun)
        for backup in removed.backups {
            output.result("backup \(backup.name), which ended at \(RestoreTarget.time(backup.ended).title)")
        }
        let count = "\(Quantity.of(removed.backups.count, "backup")) and \(Quantity.of(removed.segments, "segment"))"
        output.talk(prose: "\(count) of the log \(dryRun ? "would be removed" : "removed")")
        return .done
    }
}

/// `martlet backup remove`.
struct BackupRemove: Command {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove all backups of a server, and its archive.",
        discussion: """
            No moment of it can be restored any more. A sandbox must be gone; on another server the replication slot is \
            dropped.

            EXAMPLES
              martlet backup remove shop
            """
    )

    @Argument(help: "Name of the sandbox, or of the server's backups.")
    var name: String

    @Flag(help: "That server is gone: leave the slot there.")
    var sourceIsGone = false

    func run(output: Output) async throws -> ExitStatus {
        try await Backups().remove(of: name, sourceIsGone: sourceIsGone)
        output.result("the backups of \"\(name)\" are removed")
        return .done
    }
}
