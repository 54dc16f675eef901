import Catalog
import Foundation
import Postgres

/// A storage of WAL-G, which this machine can read.
///
/// wal-g is run as the account that runs our servers, with all that it needs to know in one configuration file. What it prints and how it
/// ends is taken from its documentation and source (v3): `docs/PostgreSQL.md`, `backup_detail.go`, `tablespace_spec.go`.
public struct WalG: BackupArchive, Hashable {
    let server: String
    let configuration: String
    let superuser: String
    let program: String

    /// `server` is what people call it, as a storage has one server and no name; `superuser` is the role that initdb has made there.
    public init(server: String, configuration: String, superuser: String = "postgres") {
        self.init(server: server, configuration: configuration, superuser: superuser, program: "wal-g")
    }

    init(server: String, configuration: String, superuser: String = "postgres", program: String) {
        (self.server, self.configuration, self.superuser, self.program) = (server, configuration, superuser, program)
    }

    /// What people call the server.
    public var title: String { "WAL-G's server \(server)" }
    var sandbox: String? { nil }
    var provider: String { "wal-g" }

    /// What `wal-g backup-list` says, as far as it is needed.
    private struct Listed: Decodable {
        let name: String
        let ended: String
        let version: Int
        let start: UInt64
        let stop: UInt64
        let system: UInt64?
        let bytes: Int?

        enum CodingKeys: String, CodingKey {
            case name = "backup_name"
            case ended = "finish_time"
            case version = "pg_version"
            case start = "start_lsn"
            case stop = "finish_lsn"
            case system = "system_identifier"
            case bytes = "uncompressed_size"
        }
    }

    func list() async throws -> [Backup] {
        try await refuseFailover()
        let text = try await ask("backup-list", "--detail", "--json", Self.storage)
        let listed = try JSONDecoder().decode([Listed]?.self, from: text)
        return try (listed ?? []).map { one in
            // A name begins with base_ and the segment in which the backup does, which begins with the timeline.
            guard let timeline = Int(one.name.dropFirst("base_".count).prefix(8), radix: 16),
                let ended = Self.moment(one.ended), one.version >= 10_000
            else { throw PostgresError("could not understand what wal-g says of backup \(one.name)") }
            return Backup(
                name: one.name,
                major: one.version / 10_000,
                system: one.system.map(String.init) ?? "",
                timeline: timeline,
                start: LSN(one.start),
                stop: LSN(one.stop),
                ended: ended,
                nextTransaction: nil,
                bytes: one.bytes ?? 0,
                settings: [:],
                superuser: superuser
            )
        }.sorted { $0.ended < $1.ended }
    }

    /// The second after a moment such as `2025-12-20T02:00:18.538578Z`, whose fraction has as many digits as it needs.
    private static func moment(_ text: String) -> Date? {
        let seconds = text.prefix { $0 != "." && $0 != "Z" } + "Z"
        return try? Date(String(seconds), strategy: .iso8601).addingTimeInterval(1)
    }

    /// With failover storages wal-g leaves out those that it cannot reach, and says of what is in them that there is none.
    private static let storage = "--target-storage=default"

    /// Refuses a storage of which a part may be elsewhere: a segment there would be taken for the end of the log.
    private func refuseFailover() async throws {
        let script = #"grep -q FAILOVER_STORAGES "$1""#
        guard try await Program.ofServer(script: script, [configuration]).run().isSuccess else { return }
        throw PostgresError(
            "cannot restore from WAL-G with failover storages",
            detail: "File \"\(configuration)\" has some; log that is in one of them would not be found.",
            hint: "Bring it to the default storage (wal-g st transfer), and name a file without them."
        )
    }

    private func ask(_ arguments: String...) async throws -> Data {
        Data(try await run(arguments).utf8)
    }

    private func run(_ arguments: [String]) async throws -> String {
        try await BackupTool.run(
            program,
            ["--config", configuration] + arguments,
            hint: "Install it: https://github.com/wal-g/wal-g/releases"
        )
    }

    /// The server it runs on is not ours: what is not archived yet is not restored.
    func archivePresent() {}

    func fetch(_ backup: Backup, to place: ServerDirectory) async throws -> [String: String] {
        try await BackupTool.makeFolders(in: place)
        let spaces = try await tablespaces(of: backup)
        try await place.write(Self.places(of: spaces, in: place), to: "places.json")
        // Without the option tablespaces would go where they are on the machine of the source.
        let spec = "--restore-spec=\(place.path)/places.json"
        _ = try await run(["backup-fetch", Self.storage, spec, place.data, backup.name])
        try await settle(place)
        // Segments that it fetches ahead would be written by programs that outlive the server, into a folder that its configuration may
        // name. It ends with 74 when there is none, and with 1 for what has failed.
        let words = [program, "--config", configuration, "wal-fetch", Self.storage].map { ShellWord($0).quoted }
            .joined(separator: " ")
        try await LogFetcher(place: place).write(
            """
            WALG_DOWNLOAD_CONCURRENCY=1 WALG_PREFETCH_DIR="$3" \(words) "$1" "$2"
            status=$?
            case $status in 74) status=1 ;; 1) status=255 ;; esac
            """,
            major: backup.major
        )
        return try await BackupTool.settings(of: place, major: backup.major)
    }

    // MARK: Tablespaces

    /// What `NAME_backup_stop_sentinel.json` says of the tablespaces of a backup.
    private struct Sentinel: Decodable {
        struct Places: Decodable {
            let tablespaces: [String]?
        }
        let places: Places?

        enum CodingKeys: String, CodingKey { case places = "Spec" }
    }

    private func tablespaces(of backup: Backup) async throws -> [String] {
        let text = try await ask("st", "cat", "basebackups_005/\(backup.name)_backup_stop_sentinel.json")
        return try JSONDecoder().decode(Sentinel.self, from: text).places?.tablespaces ?? []
    }

    /// Where the data directory and its tablespaces go, as wal-g wants to be told.
    private static func places(of tablespaces: [String], in place: ServerDirectory) throws -> String {
        var places: [String: Any] = ["base_prefix": place.data, "tablespaces": tablespaces]
        for space in tablespaces {
            places[space] = ["loc": "\(place.path)/tablespaces/\(space)", "link": "pg_tblspc/\(space)"]
        }
        return String(decoding: try JSONSerialization.data(withJSONObject: places), as: UTF8.self)
    }

    /// Sees to it that no tablespace is outside of the new server's folder.
    ///
    /// A backup that came through the replication protocol brings `tablespace_map`, by which recovery would link the places of the source.
    private func settle(_ place: ServerDirectory) async throws {
        let script = #"""
            rm -f "$1/data/tablespace_map" "$1/places.json" || exit 1
            for space in "$1"/data/pg_tblspc/*; do
                name=${space##*/}
                if test -L "$space"; then
                    case $(readlink "$space") in
                        "$1"/tablespaces/*) ;;
                        *) echo "tablespace $name would be $(readlink "$space")"; exit 1 ;;
                    esac
                elif test -d "$space"; then
                    mv "$space" "$1/tablespaces/$name" && ln -s "$1/tablespaces/$name" "$space" || exit 1
                fi
            done
            """#
        let outcome = try await Program.ofServer(script: script, [place.path]).run()
        try Task.checkCancellation()
        guard outcome.isSuccess else {
            throw PostgresError(
                "could not place the tablespaces of \(title)",
                detail: [outcome.complaint, outcome.output].filter { !$0.isEmpty }.joined(separator: "\n")
            )
        }
    }
}
