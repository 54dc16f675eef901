import ArgumentParser
import Cluster
import Foundation

/// Who has kept the backups of a server.
struct KeeperOptions: ParsableArguments {
    /// martlet itself, or a backup program.
    enum Keeper: String, ExpressibleByArgument, CaseIterable {
        case martlet, pgbackrest, barman
        case walG = "wal-g"
    }

    @Option(help: ArgumentHelp("Who has kept the backups.", valueName: "martlet|pgbackrest|barman|wal-g"))
    var keptBy: Keeper = .martlet

    @Option(help: ArgumentHelp("The configuration of pgbackrest, barman or wal-g.", valueName: "file"))
    var toolConfig: String?

    @Option(
        help: ArgumentHelp("The role that initdb made there, where --kept-by is a backup program.", valueName: "role")
    )
    var superuser = "postgres"

    func validate() throws {
        guard keptBy != .martlet || toolConfig == nil else {
            throw ValidationError("--tool-config is for --kept-by pgbackrest, barman and wal-g.")
        }
        guard keptBy != .walG || toolConfig != nil else {
            throw ValidationError("--kept-by wal-g needs --tool-config FILE, a file as wal-g takes it with --config.")
        }
    }

    /// The backups of a sandbox, or of what the keeper calls a server.
    func backups(of server: String) -> BackupSource {
        // Recovery runs the program in a folder of its own.
        let file = toolConfig.map { URL(filePath: $0).path }
        return switch keptBy {
        case .martlet: .sandbox(server)
        case .pgbackrest: .pgBackRest(PgBackRest(stanza: server, configuration: file, superuser: superuser))
        case .barman: .barman(Barman(server: server, configuration: file, superuser: superuser))
        case .walG: .walG(WalG(server: server, configuration: file ?? "", superuser: superuser))
        }
    }
}

/// How far back a search for losses looks.
struct LookBackOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Look back to this time, also where the table was the same in two backups.",
            valueName: "time"
        )
    )
    var since: String?

    func validate() throws { _ = try date() }

    func date() throws -> Date? {
        try since.map { since in
            guard let date = RestoreTarget.date(since) else {
                throw ValidationError("--since \"\(since)\" is not a time such as 2026-11-22 18:00:00.")
            }
            return date
        }
    }
}
