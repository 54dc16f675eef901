import Catalog
import Foundation
import Postgres

/// A server of Barman, whose catalogue is on this machine.
///
/// barman is run as the account that runs our servers, which must be able to read the catalogue: as user barman all is well.
public struct Barman: BackupArchive, Hashable {
    let server: String
    let configuration: String?
    let superuser: String

    /// `superuser` is the role that initdb has made on the server, which no backup tells.
    public init(server: String, configuration: String? = nil, superuser: String = "postgres") {
        (self.server, self.configuration, self.superuser) = (server, configuration, superuser)
    }

    /// What people call the server.
    public var title: String { "Barman's server \(server)" }
    var sandbox: String? { nil }
    var provider: String { "barman" }

    private var options: [String] { configuration.map { ["-c", $0] } ?? [] }

    /// What `barman list-backups` says, as far as it is needed.
    private struct Listed: Decodable {
        let id: String
        let status: String

        enum CodingKeys: String, CodingKey {
            case status
            case id = "backup_id"
        }
    }

    /// What `barman show-backup` says, as far as it is needed.
    private struct Shown: Decodable {
        struct Base: Decodable {
            let start: String
            let stop: String
            let ended: String
            let timeline: Int

            enum CodingKeys: String, CodingKey {
                case timeline
                case start = "begin_lsn"
                case stop = "end_lsn"
                case ended = "end_time_timestamp"
            }
        }
        struct Tablespace: Decodable {
            let name: String
            let oid: UInt32
        }
        let base: Base
        let version: Int
        let system: String?
        let tablespaces: [Tablespace]?

        enum CodingKeys: String, CodingKey {
            case base = "base_backup_information"
            case version = "postgresql_version"
            case system = "system_id"
            case tablespaces
        }
    }

    func list() async throws -> [Backup] {
        let listed = try await ask([Listed].self, "list-backups", server)
        var found: [Backup] = []
        for one in listed where one.status == "DONE" || one.status == "WAITING_FOR_WALS" {
            let shown = try await ask(Shown.self, "show-backup", server, one.id)
            guard let start = LSN(shown.base.start), let stop = LSN(shown.base.stop),
                let ended = Double(shown.base.ended)
            else { throw PostgresError("could not understand what barman says of backup \(one.id)") }
            found.append(
                Backup(
                    name: one.id,
                    major: shown.version / 10_000,
                    system: shown.system ?? "",
                    timeline: shown.base.timeline,
                    start: start,
                    stop: stop,
                    // It knows whole seconds, and rounds down.
                    ended: Date(timeIntervalSince1970: ended + 1),
                    nextTransaction: nil,
                    bytes: 0,
                    settings: [:],
                    superuser: superuser
                )
            )
        }
        return found.sorted { $0.ended < $1.ended }
    }

    private func ask<Answer: Decodable>(_ type: Answer.Type, _ arguments: String...) async throws -> Answer {
        let text = try await BackupTool.run("barman", options + ["-f", "json"] + arguments)
        guard let answer = try JSONDecoder().decode([String: Answer].self, from: Data(text.utf8))[server] else {
            throw PostgresError("barman knows no server \"\(server)\"", hint: "barman list-servers shows those it has.")
        }
        return answer
    }

    /// The server it runs on is not ours: what is not archived yet is not restored.
    func archivePresent() {}

    func fetch(_ backup: Backup, to place: ServerDirectory) async throws -> [String: String] {
        try await BackupTool.makeFolders(in: place)
        let shown = try await ask(Shown.self, "show-backup", server, backup.name)
        let spaces = (shown.tablespaces ?? []).flatMap {
            ["--tablespace", "\($0.name):\(place.path)/tablespaces/\($0.oid)"]
        }
        // With --get-wal no log is copied, which recovery asks for segment by segment.
        _ = try await BackupTool.run(
            "barman",
            options + ["recover", "--get-wal"] + spaces + [server, backup.name, place.data]
        )
        // With -P also the segment that is being received. It ends with 1 for everything, and says what it was.
        let words = (["barman"] + options + ["get-wal", "-P", server]).map { ShellWord($0).quoted }
        try await LogFetcher(place: place).write(
            """
            complaint=$(\(words.joined(separator: " ")) "$1" 2>&1 >"$2")
            status=$?
            if test "$status" != 0; then
                rm -f "$2"
                case $complaint in *"not found in server"*) status=1 ;; *) echo "$complaint" >&2; status=255 ;; esac
            fi
            """,
            major: backup.major
        )
        return try await BackupTool.settings(of: place, major: backup.major)
    }
}
