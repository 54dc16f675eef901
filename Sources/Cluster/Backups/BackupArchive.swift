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

    /// Runs `body` while no log is removed, where that is in our hands.
    func keepingLog<Result>(_ body: () async throws -> Result) async throws -> Result

    /// Writes `data/`, `tablespaces/` and the script of a ``LogFetcher`` into the directory of a server of ours.
    ///
    /// - Returns: settings that the server should have.
    func fetch(_ backup: Backup, to place: ServerDirectory) async throws -> [String: String]
}

extension BackupArchive {
    func keepingLog<Result>(_ body: () async throws -> Result) async throws -> Result { try await body() }
}

/// Whose backups are restored, and who has kept them.
public enum BackupSource: Sendable, Hashable {
    /// Those that martlet keeps of a sandbox, or of another server under a name; it may be gone.
    case sandbox(String)
    /// Those of a stanza of pgBackRest.
    case pgBackRest(PgBackRest)
    /// Those of a server of Barman.
    case barman(Barman)
    /// Those of a storage of WAL-G.
    case walG(WalG)

    func archive(_ sandboxes: Sandboxes) -> any BackupArchive {
        switch self {
        case .sandbox(let name): SandboxArchive(name: name, sandboxes: sandboxes)
        case .pgBackRest(let stanza): stanza
        case .barman(let server): server
        case .walG(let server): server
        }
    }

    /// What people call it.
    public var title: String {
        switch self {
        case .sandbox(let name): name
        case .pgBackRest(let stanza): stanza.title
        case .barman(let server): server.title
        case .walG(let server): server.title
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

    func keepingLog<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await backups.withLog(of: name, removing: false, body)
    }

    /// Ends the present segment of a sandbox that runs, or fetches the log of a server that can be reached.
    func archivePresent() async throws {
        if backups.kept(name) != nil { return try await backups.archivePresent(of: name, backups.source(of: name)) }
        guard let sandbox = sandboxes.list().first(where: { $0.name == name }), sandbox.status == .running,
            backups.isArchiving(sandbox)
        else { return }
        try await backups.archivePresent(of: name, sandboxes.source(name))
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
        try await LogFetcher(place: place).write(
            """
            status=1
            for folder in \(folders.map { ShellWord($0).quoted }.joined(separator: " ")); do
                # One that is being fetched ends with zeros, and may be whole a moment later.
                for file in "$folder/$1" "$folder/$1.partial" "$folder/$1"; do
                    test -f "$file" || continue
                    if cp "$file" "$2"; then status=0; break 2; fi
                    test "$file" = "$folder/$1.partial" && ! test -f "$file" || { status=255; break 2; }
                done
            done
            """,
            major: backup.major
        )
        return backup.settings
    }

    /// Where segments are: what was not archived when the sandbox went down is in its own folder.
    private var folders: [String] {
        let sandbox = sandboxes.list().first { $0.name == name }
        let own = sandbox.map(backups.isArchiving) == true ? ["\(sandboxes.directory)/\(name)/data/pg_wal"] : []
        return [backups.archive(of: name)] + own
    }
}
