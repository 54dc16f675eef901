import Catalog
import Foundation
import Postgres

/// Where backups of one server are, and the log that follows them.
protocol BackupArchive: Sendable {
    /// What people call the server.
    var title: String { get }
    /// The sandbox that the server is, or was; nil when it is none.
    var sandbox: String? { get }
    /// How a restored server is said to have been made from one of them.
    var provider: String { get }

    /// The backups that can be restored, the oldest first.
    func list() async throws -> [Backup]

    /// Sees to it that what was just committed can be restored, where that is in our hands.
    func archivePresent() async throws

    /// Refuses a backup that cannot be restored on this machine.
    func check(_ backup: Backup, _ binaries: Installation) async throws

    /// Writes `data/` and `tablespaces/` of a backup into the directory of a server of ours.
    ///
    /// - Returns: settings that the server should have.
    func fetch(_ backup: Backup, to place: ServerDirectory) async throws -> [String: String]

    /// What recovery runs for each segment (`restore_command`), in the data directory of the restored server.
    func restoreCommand(for place: ServerDirectory) -> String
}

/// Whose backups are restored, and who has kept them.
public enum BackupSource: Sendable, Hashable {
    /// Those that martlet keeps of a sandbox, or of another server under a name; it may be gone.
    case sandbox(String)
    /// Those of a stanza of pgBackRest.
    case pgBackRest(PgBackRest)
    /// Those of a server of Barman.
    case barman(Barman)

    func archive(_ sandboxes: Sandboxes) -> any BackupArchive {
        switch self {
        case .sandbox(let name): SandboxArchive(name: name, sandboxes: sandboxes)
        case .pgBackRest(let stanza): stanza
        case .barman(let server): server
        }
    }

    /// What people call it.
    public var title: String {
        switch self {
        case .sandbox(let name): name
        case .pgBackRest(let stanza): stanza.title
        case .barman(let server): server.title
        }
    }
}

/// The backups that martlet keeps, of a sandbox or of another server.
struct SandboxArchive: BackupArchive {
    /// The name they have; the server may be gone.
    let name: String
    let sandboxes: Sandboxes

    private var backups: Backups { Backups(of: sandboxes) }
    var title: String { name }
    var sandbox: String? { backups.kept(name) == nil ? name : nil }
    var provider: String { "backup" }

    func list() -> [Backup] { backups.list(of: name) }

    /// Ends the present segment of a sandbox that runs, or fetches the log of a server that can be reached.
    func archivePresent() async throws {
        if backups.kept(name) != nil { return try await backups.archivePresent(of: name, backups.source(of: name)) }
        guard let sandbox = sandboxes.list().first(where: { $0.name == name }), sandbox.status == .running,
            backups.isArchiving(sandbox)
        else { return }
        try await backups.archivePresent(of: name, sandboxes.source(name))
    }

    /// Refuses log that makes tablespaces: replayed on this machine it would write into those of the sandbox.
    func check(_ backup: Backup, _ binaries: Installation) async throws {
        let log = LogCommits(folders: folders, binaries: binaries)
        guard try await log.makesTablespaces(since: backup.start, timeline: backup.timeline) else { return }
        throw PostgresError(
            "cannot restore sandbox \"\(name)\" from backup \(backup.name)",
            detail: "Tablespaces were made since. To replay that on the same machine would write into their folders.",
            hint: "Take a new backup, which has them; later moments can be restored from it."
        )
    }

    func fetch(_ backup: Backup, to place: ServerDirectory) async throws -> [String: String] {
        let script = #"""
            umask 077
            cp -a --reflink=auto "$1/data" "$2/data" || exit 1
            if test -d "$1/tablespaces"; then
                cp -a --reflink=auto "$1/tablespaces" "$2/tablespaces" || exit 1
                for link in "$2"/data/pg_tblspc/*; do
                    if test -L "$link"; then ln -sfn "$2/tablespaces/${link##*/}" "$link" || exit 1; fi
                done
            fi
            """#
        let from = "\(backups.base(of: name))/\(backup.name)"
        let outcome = try await Program.ofServer(script: script, [from, place.path]).run()
        try Task.checkCancellation()
        guard outcome.isSuccess else {
            throw PostgresError(
                "could not copy backup \(backup.name) of sandbox \"\(name)\"",
                detail: outcome.complaint,
                hint: outcome.complaint.contains("No space left") ? "Make room; nothing is left of the copy." : nil
            )
        }
        return backup.settings
    }

    func restoreCommand(for place: ServerDirectory) -> String {
        // A copy that fails is no end of the log: a status above 125 ends the server (RestoreArchivedFile).
        let copies = folders.map { folder in
            let file = ShellWord(folder).quoted.replacing("%", with: "%%") + "/%f"
            // One that is being fetched ends with zeros, and may be whole a moment later.
            return "if test -f \(file); then cp \(file) \"%p\" || exit 255; exit 0; fi; "
                + "if test -f \(file).partial && cp \(file).partial \"%p\"; then exit 0; fi; "
                + "if test -f \(file); then cp \(file) \"%p\" || exit 255; exit 0; fi; "
        }
        return copies.joined() + "exit 1"
    }

    /// Where segments are: what was not archived when the sandbox went down is in its own folder.
    var folders: [String] {
        let sandbox = sandboxes.list().first { $0.name == name }
        let own = sandbox.map(backups.isArchiving) == true ? ["\(sandboxes.directory)/\(name)/data/pg_wal"] : []
        return [backups.archive(of: name)] + own
    }
}
