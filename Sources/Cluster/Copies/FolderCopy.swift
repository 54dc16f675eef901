import Catalog
import Foundation
import Postgres

/// Copies a data directory between `pg_backup_start` and `pg_backup_stop`, with the log that belongs to it (manual, "Making a
/// Non-Exclusive Low-Level Backup").
///
/// A temporary slot keeps the log on the source until it has been copied.
struct FolderCopy {
    let source: CopySource
    let place: ServerDirectory
    /// A command of the shell that copies folder `$1` to folder `$2`, which is not there; nil copies by reflink.
    let command: String?

    /// Why the folder of a source cannot be copied by itself, or nil when it can.
    static func obstacle(_ source: CopySource) async -> String? {
        guard !source.isDatabase else { return "it is one database of a server that has others" }
        guard let data = source.dataDirectory else { return "our role may not see where its data directory is" }
        guard !source.isRecovering else { return "it is recovering" }
        guard source.mayReplicate else { return "our role may not make a slot, which keeps the log meanwhile" }
        guard source.tablespaces.isEmpty else { return "it has tablespaces" }
        guard FileManager.default.fileExists(atPath: data) else { return "its data directory is not on this machine" }
        // What is written or removed through a link would be the source's.
        let outcome = try? await Program.ofServer(
            script: #"test -r "$1/global/pg_control" && find "$1" -type l -print -quit"#,
            [data]
        ).run()
        guard let outcome, outcome.isSuccess else { return "the files of its data directory cannot be read" }
        return outcome.output.isEmpty ? nil : "its data directory has links to other folders"
    }

    /// Why files of a source cannot be shared with a folder, or nil when they can.
    static func obstacleToReflink(_ source: CopySource, to folder: String) async -> String? {
        if let obstacle = await obstacle(source) { return obstacle }
        let probe = ServerDirectory(path: "\(folder)/.probe-\(UInt32.random(in: 0 ... .max))")
        do {
            try probe.make()
        } catch {
            return "folder \"\(folder)\" cannot be written"
        }
        // What is left of it is empty but for a copy of PG_VERSION.
        defer { try? probe.remove() }
        let script = #"cp --reflink=always "$1/PG_VERSION" "$2/probe""#
        let outcome = try? await Program.ofServer(script: script, [source.dataDirectory ?? "", probe.path]).run()
        return outcome?.isSuccess == true ? nil : "its file system and that of \"\(folder)\" do not share blocks"
    }

    /// Copies the folder.
    ///
    /// - Throws: what the server or the command says; the source is then as it was.
    func run(_ binaries: Installation) async throws {
        guard let data = source.dataDirectory else {
            throw PostgresError("could not see the data directory of server \(source.title)")
        }
        try await withNeutralConnection(to: source.connection, application: "martlet copy") { session in
            let slot = "martlet_copy_\(UInt32.random(in: 0 ... .max))"
            try session.query("SELECT pg_create_physical_replication_slot($1, true, true)", slot)
            // A folder of this name may be another server's.
            guard try await Program.ofServer(script: #"test -d "$1/pg_replslot/$2""#, [data, slot]).run().isSuccess
            else {
                throw PostgresError("folder \"\(data)\" on this machine is not that of server \(source.title)")
            }
            // They got other names in 15.
            let isOld = source.major < 15
            let start: SQL =
                isOld ? "pg_start_backup('martlet clone', true, false)" : "pg_backup_start('martlet clone', true)"
            let stop: SQL = isOld ? "pg_stop_backup(false, false)" : "pg_backup_stop(false)"
            try session.query("SELECT \(start)")
            try await copy(data)
            guard let row = try session.query("SELECT labelfile FROM \(stop)").first else {
                throw PostgresError("server \(source.title) has not ended the backup")
            }
            let label: String = try row("labelfile")
            try await place.write(label, to: "data/backup_label")
            try await copyLog(data, label)
        }
        try await source.checkIdentity(of: place, binaries)
    }

    private func copy(_ data: String) async throws {
        // Files may vanish meanwhile, as the manual says. What belongs to the running server alone is left out.
        let script = #"""
            umask 077
            export LC_ALL=C
            if test -n "$3"; then
                sh -c "$3" martlet "$1" "$2/data" || exit 1
            else
                cp -a --reflink=always "$1" "$2/data" 2>"$2/complaint"
                if grep -v 'No such file or directory' "$2/complaint" >&2; then exit 1; fi
                rm -f "$2/complaint"
            fi
            if test -n "$(find "$2/data" -type l -print -quit)"; then
                echo "it has links to other folders" >&2
                exit 1
            fi
            cd "$2/data" && chmod 700 . && rm -rf postmaster.pid postmaster.opts pg_internal.init pg_replslot/* pg_dynshmem/* \
                pg_notify/* pg_serial/* pg_snapshots/* pg_stat_tmp/* pg_subtrans/* pg_wal/* && mkdir -p pg_wal/archive_status
            """#
        var program = Program.ofServer(script: script, [data, place.path, command ?? ""])
        // A command of the operator may have started others.
        program.ending = .request
        let outcome = try await program.run()
        try Task.checkCancellation()
        guard outcome.isSuccess else { throw failure(outcome.complaint) }
    }

    /// The log from the beginning of the backup to its end, which the slot has kept.
    private func copyLog(_ data: String, _ label: String) async throws {
        // START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
        guard let first = label.firstMatch(of: /START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)/).map({ String($0.1) })
        else {
            throw failure("The label of the backup does not say where its log begins.")
        }
        let script = #"""
            ls "$1/pg_wal" | LC_ALL=C awk -v first="$3" 'length($0) == 24 && $0 >= first || /\.history$/' |
                while read -r name; do cp -a "$1/pg_wal/$name" "$2/data/pg_wal/" || exit 1; done
            """#
        let outcome = try await Program.ofServer(script: script, [data, place.path, first]).run()
        guard outcome.isSuccess else { throw failure(outcome.complaint) }
    }

    private func failure(_ complaint: String) -> PostgresError {
        PostgresError("could not copy the data directory of server \(source.title)", detail: complaint)
    }
}
