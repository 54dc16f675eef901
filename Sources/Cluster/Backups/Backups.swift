import Catalog
import Foundation
import Postgres

/// The backups of sandboxes: base backups, and the archive of the log that follows them.
///
///     backups/NAME/wal/                       segments, copied by archive_command
///     backups/NAME/server.json                where the server is, when it is no sandbox
///     backups/NAME/base/20261123T025500Z/     data/, tablespaces/, backup.json, which is written last
///
/// They are kept beside the sandboxes, belong to the account that runs the servers, and outlive the sandbox.
public struct Backups: Sendable {
    /// The directory that has a directory for each sandbox.
    public let directory: String
    let sandboxes: Sandboxes

    /// The backups of this account's sandboxes.
    public init(of sandboxes: Sandboxes = Sandboxes()) {
        self.sandboxes = sandboxes
        directory =
            URL(filePath: sandboxes.directory).deletingLastPathComponent().path(percentEncoded: false) + "backups"
    }

    /// The backups of a sandbox, the oldest first.
    public func list(of name: String) -> [Backup] {
        // No directory means no backup.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: base(of: name))) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted().compactMap { backup in
            // One without the file was not taken to its end.
            let data = try? Data(contentsOf: URL(filePath: "\(base(of: name))/\(backup)/backup.json"))
            return data.flatMap { try? JSONDecoder().decode(Backup.self, from: $0) }
        }
    }

    /// Whether there are backups of a sandbox, or an archive.
    public func areThere(of name: String) -> Bool { FileManager.default.fileExists(atPath: "\(directory)/\(name)") }

    func base(of name: String) -> String { "\(directory)/\(name)/base" }

    func archive(of name: String) -> String { "\(directory)/\(name)/wal" }

    /// Whether a running sandbox archives its log here.
    public func isArchiving(_ sandbox: Sandbox) -> Bool {
        sandbox.settings["archive_command"] == Self.archiveCommand(into: archive(of: sandbox.name))
    }

    func makeFolders(of name: String) throws {
        for folder in ["\(directory)/\(name)", archive(of: name), base(of: name)] {
            try ServerDirectory(path: folder).make()
        }
    }

    /// Lets a sandbox archive its log from now on, for which it is restarted; does nothing when it does.
    ///
    /// - Throws: when it is a replica, which has no log of its own.
    public func startArchive(_ name: String) async throws {
        guard kept(name) == nil else { return }
        let sandbox = try sandboxes.find(name)
        guard sandbox.origin?.kind != .replica else {
            throw PostgresError(
                "sandbox \"\(name)\" is a replica",
                hint: "Take backups of its source: its log is that of the replica, too."
            )
        }
        guard !isArchiving(sandbox) else { return }
        // Segments of another server have the same names.
        guard !areThere(of: name) else {
            throw PostgresError(
                "there are backups of another sandbox \"\(name)\"",
                detail: "That one is gone, or its archive was switched off.",
                hint: "When nobody needs them: martlet backup remove \(name)"
            )
        }
        try makeFolders(of: name)
        let settings = [
            "archive_mode": "on", "archive_command": Self.archiveCommand(into: archive(of: name)),
            "archive_timeout": "60",
        ]
        _ = try await sandboxes.start(name, Sandboxes.Wish(settings: settings))
    }

    /// Copies a segment under another name, so that it is there whole or not at all; one that is there must be the same.
    ///
    /// The server puts the segment's path and name for `%p` and `%f`.
    static func archiveCommand(into folder: String) -> String {
        let place = ShellWord(folder).quoted.replacing("%", with: "%%")
        return
            "if test -f \(place)/%f; then cmp -s %p \(place)/%f; else cp %p \(place)/.%f.tmp && sync \(place)/.%f.tmp && mv \(place)/.%f.tmp \(place)/%f && sync \(place); fi"
    }

    /// Takes a base backup of a running sandbox and verifies it with pg_verifybackup.
    ///
    /// Returns when the log that it needs is in the archive. What an interrupted one has left is removed first.
    ///
    /// - Throws: when the sandbox does not run, what pg_basebackup says, or when a file is not as it should be.
    public func take(of name: String, progress: @escaping Sandboxes.CopyProgress) async throws -> Backup {
        try await startArchive(name)
        let source = try await source(of: name)
        let binaries = try await Installation.server(major: source.major)
        let title = Date.now.formatted(
            .iso8601.year().month().day().dateSeparator(.omitted).time(includingFractionalSeconds: false)
                .timeSeparator(.omitted).timeZone(separator: .omitted)
        )
        let place = ServerDirectory(path: "\(base(of: name))/\(title)")
        return try await sandboxes.locked(name) {
            try removeUnfinished(of: name)
            guard !FileManager.default.fileExists(atPath: place.path) else {
                throw PostgresError("there is a backup \(title) already", hint: "Try again a second later.")
            }
            return try await take(of: name, title, source, place, binaries, progress)
        }
    }

    /// Removes what backups left that were not taken to their end.
    func removeUnfinished(of name: String) throws {
        let finished = Set(list(of: name).map(\.name))
        for folder in try FileManager.default.contentsOfDirectory(atPath: base(of: name))
        where !finished.contains(folder) {
            try ServerDirectory(path: "\(base(of: name))/\(folder)").remove()
        }
    }

    /// Removes all backups of a sandbox, and its archive.
    ///
    /// Of a server that is no sandbox the slot goes, too, unless `sourceIsGone`.
    ///
    /// - Throws: when there are none, the sandbox still archives its log there, or the server cannot be reached.
    public func remove(of name: String, sourceIsGone: Bool = false) async throws {
        try await withLog(of: name, removing: true) {
            try await sandboxes.locked(name) { try await removeAlone(name, sourceIsGone) }
        }
    }

    private func removeAlone(_ name: String, _ sourceIsGone: Bool) async throws {
        guard areThere(of: name) else {
            throw PostgresError("there are no backups of sandbox \"\(name)\"")
        }
        if let sandbox = sandboxes.list().first(where: { $0.name == name }), isArchiving(sandbox) {
            throw PostgresError(
                "sandbox \"\(name)\" archives its log among its backups",
                hint:
                    "Remove it first, or switch that off: martlet sandbox start \(name) --set archive_mode=off --set archive_command="
            )
        }
        if let kept = kept(name), !sourceIsGone {
            do {
                try await kept.dropSlot()
            } catch let error as PostgresError {
                throw PostgresError(
                    "could not drop the replication slot \"\(kept.slot)\" on \(kept.place.place)",
                    detail: "\(error.message). It keeps log there until the disk is full.",
                    hint: "When that server is gone: martlet backup remove \(name) --source-is-gone"
                )
            }
        }
        try ServerDirectory(path: "\(directory)/\(name)").remove()
    }

    private func take(
        of name: String,
        _ title: String,
        _ source: CopySource,
        _ place: ServerDirectory,
        _ binaries: Installation,
        _ progress: @escaping Sandboxes.CopyProgress
    ) async throws -> Backup {
        try place.make()
        do {
            // pg_receivewal of 14 begins where the log ends just now, and not at the slot.
            if kept(name) != nil { try await archivePresent(of: name, source) }
            let backup = BaseBackup(source: source, place: place, binaries: binaries, slot: nil, isDurable: true)
            try await backup.run { progress($0.done, $0.whole) }
            try await verify(place, binaries)
            let taken = try await describe(title, place, source)
            try await archivePresent(of: name, source)
            let json = JSONEncoder()
            json.outputFormatting = [.prettyPrinted, .sortedKeys]
            try await place.write(String(decoding: json.encode(taken), as: UTF8.self) + "\n", to: "backup.json")
            return taken
        } catch {
            // The first failure is the one to tell.
            try? place.remove()
            throw error
        }
    }

    private func verify(_ place: ServerDirectory, _ binaries: Installation) async throws {
        let outcome = try await Program.ofServer(
            try binaries.program("pg_verifybackup"),
            ["-q", place.data],
            environment: binaries.serverEnvironment
        ).run()
        guard outcome.isSuccess else {
            throw PostgresError("a backup is not as it should be", detail: outcome.complaint, hint: "It was removed.")
        }
    }

    private func describe(_ title: String, _ place: ServerDirectory, _ source: CopySource) async throws -> Backup {
        let outcome = try await Program.ofServer(
            script: #"echo "{"; sed -n '/"WAL-Ranges"/,$p' "$1/data/backup_manifest""#,
            [place.path]
        ).run()
        let manifest = try JSONDecoder().decode(Backup.Manifest.self, from: Data(outcome.output.utf8))
        guard let range = manifest.ranges.last, let start = LSN(range.start), let stop = LSN(columnText: range.end)
        else { throw PostgresError("the manifest of a backup names no log") }
        return try await withNeutralConnection(to: source.connection, application: "martlet backup") { session in
            let row = try session.query(
                """
                SELECT extract(epoch FROM clock_timestamp())::float8 AS now,
                       pg_snapshot_xmax(pg_current_snapshot())::text AS next
                """
            ).first
            return Backup(
                name: title,
                major: source.major,
                system: source.system,
                timeline: range.timeline,
                start: start,
                stop: stop,
                ended: Date(timeIntervalSince1970: try row?("now") ?? 0),
                nextTransaction: try row?("next"),
                bytes: source.bytes,
                settings: source.settings,
                superuser: source.superuser
            )
        }
    }

    /// Ends the present segment of the log, and waits until it is in the archive.
    func archivePresent(of sandbox: String, _ source: CopySource) async throws {
        if let kept = kept(sandbox) { return try await fetchPresent(of: sandbox, kept, source.major) }
        try await withNeutralConnection(to: source.connection, application: "martlet backup") { session in
            // A commit after the place, so that a restore to a moment finds something behind it.
            try session.query("SELECT pg_logical_emit_message(true, 'martlet', 'archive')")
            let name = try session.query("SELECT pg_walfile_name(pg_switch_wal()) AS name").first?(
                "name",
                as: String.self
            )
            let end = ContinuousClock.now + .seconds(120)
            while !FileManager.default.fileExists(atPath: "\(archive(of: sandbox))/\(name ?? "")") {
                guard ContinuousClock.now < end else {
                    throw PostgresError(
                        "the log of server \(source.title) has not been archived within two minutes",
                        detail: "Segment \(name ?? "") is not there.",
                        hint: "The reason is in its log; a full disk is the usual one."
                    )
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
