import ArgumentParser
import Cluster
import Foundation
import Postgres
import Synchronization

/// The group of commands around restores.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring a server back as it was at a moment.",
        discussion: """
            EXAMPLES
              martlet restore server shop --as yesterday --to-time "2026-11-22 18:00"
              martlet restore find-drop orders --from shop
              martlet restore bring-back orders --from shop
            """,
        subcommands: [RestoreServer.self, RestoreFindDrop.self, RestoreBringBack.self, RestoreRecorder.self]
    )
}

/// `martlet restore server`.
struct RestoreServer: Command {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Make a server that is what another one was at a moment, beside it.",
        discussion: """
            It is a sandbox, made from the newest backup that ended before the moment, and the log that follows it. The \
            server that runs is not touched. It tells what the log says about where recovery has stopped, and prints \
            the connection string.

            EXAMPLES
              martlet restore server shop --as before --to-time "2026-11-22 18:00:00"
              martlet restore server shop --as before --to-lsn 0/3A1F2C8
              martlet restore server shop --as before --to-name before_release
              martlet restore server shop --as end
              martlet restore server main --kept-by pgbackrest --as before \\
                  --to-time "2026-11-22 18:00:00"
            """
    )

    @Argument(
        help:
            "The sandbox whose past is wanted, which may be gone; or the stanza or server of --kept-by; for wal-g any name."
    )
    var source: String

    @OptionGroup var keeper: KeeperOptions

    @Option(help: ArgumentHelp("Name of the new sandbox.", valueName: "name"))
    var `as`: String

    @Option(
        help: ArgumentHelp(
            "All that was committed until then; local time, unless an offset is given.",
            valueName: "time"
        )
    )
    var toTime: String?

    @Option(help: ArgumentHelp("All that stands before this place of the log.", valueName: "lsn"))
    var toLsn: String?

    @Option(help: ArgumentHelp("All until this transaction, with it.", valueName: "xid"))
    var toXid: UInt64?

    @Option(help: ArgumentHelp("A restore point (pg_create_restore_point).", valueName: "name"))
    var toName: String?

    @Option(help: ArgumentHelp("Listen on this port of 127.0.0.1 too.", valueName: "port|auto"))
    var tcp: SandboxStart.Port?

    func validate() throws {
        guard [toTime != nil, toLsn != nil, toXid != nil, toName != nil].count(where: { $0 }) < 2 else {
            throw ValidationError(
                "Give one of --to-time, --to-lsn, --to-xid and --to-name, or none for the end of the log."
            )
        }
        _ = try target()
    }

    func run(output: Output) async throws -> ExitStatus {
        let place = Mutex<LSN?>(nil)
        let began = ContinuousClock.now
        let restore = Restore(of: keeper.backups(of: source), to: try target())
        let report = try await LiveView(output: output).show({
            { _ in
                let seconds = began.duration(to: .now) / .seconds(1)
                let log = place.withLock { $0 }.map { ", log replayed to \($0)" } ?? ""
                return ["\(source) → \(self.as), \(Painter.duration(seconds))\(log)"]
            }
        }) {
            try await restore.run(as: self.as, tcp: tcp?.tcp) { lsn in place.withLock { $0 = lsn ?? $0 } }
        }
        output.talk(
            prose: "from backup \(report.backup.name), which ended at \(RestoreTarget.time(report.backup.ended).title)"
        )
        if let gap = report.gap {
            output.talk(prose: "\(output.styled("warning:", .yellow)) the newest log could not be fetched: \(gap)")
        }
        if !report.proof.isEmpty { output.talk(prose: "its log says: \(report.proof)") }
        output.result(report.sandbox.uri() ?? "")
        return .done
    }

    private func target() throws -> RestoreTarget {
        if let toTime {
            guard let date = RestoreTarget.date(toTime) else {
                throw ValidationError(
                    "--to-time \"\(toTime)\" is not a time such as 2026-11-22 18:00:00 or 2026-11-22 18:00:00+01."
                )
            }
            return .time(date)
        }
        if let toLsn {
            guard let lsn = LSN(toLsn) else {
                throw ValidationError("--to-lsn \"\(toLsn)\" is not a place of the log such as 0/3A1F2C8.")
            }
            return .lsn(lsn)
        }
        if let toXid { return .transaction(toXid) }
        return toName.map { .name($0) } ?? .latest
    }
}
