import Catalog
import Foundation
import Postgres

/// A stanza of pgBackRest, whose repository this machine can read.
///
/// pgbackrest is run as the account that runs our servers. It reads its configuration where it always does, or in `configuration`.
public struct PgBackRest: BackupArchive, Hashable {
    let stanza: String
    let configuration: String?
    let superuser: String

    /// `superuser` is the role that initdb has made on the server, which no backup tells.
    public init(stanza: String, configuration: String? = nil, superuser: String = "postgres") {
        (self.stanza, self.configuration, self.superuser) = (stanza, configuration, superuser)
    }

    /// What people call the server.
    public var title: String { "stanza \(stanza)" }
    var sandbox: String? { nil }
    var provider: String { "pgbackrest" }

    private var options: [String] {
        ["--stanza=\(stanza)"] + (configuration.map { ["--config=\($0)"] } ?? [])
    }

    /// What `pgbackrest info --output=json` says, as far as it is needed.
    private struct Stanza: Decodable {
        struct Database: Decodable {
            let id: Int
            let repository: Int?
            let systemID: UInt64
            let version: String

            enum CodingKeys: String, CodingKey {
                case id, version
                case repository = "repo-key"
                case systemID = "system-id"
            }
        }
        struct Taken: Decodable {
            struct Part: Decodable {
                let id: Int
                let repository: Int?

                enum CodingKeys: String, CodingKey {
                    case id
                    case repository = "repo-key"
                }
            }
            struct Times: Decodable { let stop: Double }
            struct Places: Decodable {
                let start: String
                let stop: String
            }
            struct Archive: Decodable { let start: String }
            struct Info: Decodable { let size: Int }
            let label: String
            let error: Bool?
            let database: Part
            let timestamp: Times
            let lsn: Places
            let archive: Archive
            let info: Info
        }
        struct Status: Decodable { let message: String }
        let backup: [Taken]
        let db: [Database]
        let status: Status
    }

    func list() async throws -> [Backup] {
        let outcome = try await BackupTool.run("pgbackrest", options + ["--output=json", "info"])
        guard let found = try JSONDecoder().decode([Stanza].self, from: Data(outcome.utf8)).first, !found.db.isEmpty
        else {
            throw PostgresError(
                "pgbackrest knows no stanza \"\(stanza)\"",
                hint: "Its configuration may be elsewhere: --tool-config FILE."
            )
        }
        return try found.backup.filter { $0.error != true }.map { taken in
            guard
                let database = found.db.first(where: {
                    $0.id == taken.database.id && $0.repository == taken.database.repository
                }),
                let major = Int(database.version.prefix { $0 != "." }), let start = LSN(taken.lsn.start),
                let stop = LSN(taken.lsn.stop), let timeline = Int(taken.archive.start.prefix(8), radix: 16)
            else { throw PostgresError("could not understand what pgbackrest says of backup \(taken.label)") }
            return Backup(
                name: taken.label,
                major: major,
                system: String(database.systemID),
                timeline: timeline,
                start: start,
                stop: stop,
                ended: Date(timeIntervalSince1970: taken.timestamp.stop),
                nextTransaction: nil,
                bytes: taken.info.size,
                settings: [:],
                superuser: superuser
            )
        }.sorted { $0.ended < $1.ended }
    }

    /// The server it runs on is not ours: what is not archived yet is not restored.
    func archivePresent() {}

    func fetch(_ backup: Backup, to place: ServerDirectory) async throws -> [String: String] {
        try await BackupTool.makeFolders(in: place)
        // Recovery's settings are ours.
        _ = try await BackupTool.run(
            "pgbackrest",
            options + [
                "--set=\(backup.name)", "--pg1-path=\(place.data)", "--tablespace-map-all=\(place.path)/tablespaces",
                "--spool-path=\(place.path)/spool", "--type=none", "--log-level-console=warn", "--log-level-file=off",
                "restore",
            ]
        )
        let words =
            options + [
                "--pg1-path=\(place.data)", "--log-level-file=off", "--log-level-console=off",
                "--log-level-stderr=warn",
                "--no-archive-async", "archive-get",
            ]
        // It ends with 1 when there is no such segment, and with more for what has failed.
        try await LogFetcher(place: place).write(
            "pgbackrest \(words.map { ShellWord($0).quoted }.joined(separator: " ")) \"$1\" \"$2\"; status=$?",
            major: backup.major
        )
        return try await BackupTool.settings(of: place, major: backup.major)
    }
}
