import Catalog
import Foundation
import Postgres

/// The settings of a copied server: its own, so that it reaches nothing that its source reaches.
struct CopyConfiguration {
    let source: CopySource

    /// The settings of a standby that follows its source through a slot.
    func replica(slot: String, name: String) -> [String: String] {
        // What starts by itself as soon as it is promoted must not do what the source does.
        var settings = Self.withoutSchedulers(source.settings)
        settings["max_logical_replication_workers"] = "0"
        settings["hot_standby"] = "on"
        settings["primary_conninfo"] = source.connection.with("application_name", name).with("dbname", nil).secretText
        settings["primary_slot_name"] = slot
        // hot_standby_feedback stays off: a forgotten query on the replica must not keep dead rows on the source.
        return settings
    }

    /// The settings of a copy that is written to by itself.
    func clone() -> [String: String] {
        var settings = Self.withoutSchedulers(source.settings)
        settings.merge([
            "archive_mode": "off", "archive_command": "", "restore_command": "", "primary_conninfo": "",
            "primary_slot_name": "", "synchronous_standby_names": "",
        ]) { $1 }
        return settings
    }

    /// Libraries with processes of their own, which would go on with what they do for the source.
    private static let own: Set<String> = [
        "pg_cron", "pg_partman_bgw", "pg_net", "pglogical", "spock", "bdr", "citus", "pg_task", "pg_timetable",
    ]

    /// Without what would do on a copy what it does on the source: mail, calls, partitions.
    static func withoutSchedulers(_ settings: [String: String]) -> [String: String] {
        let libraries = (settings["shared_preload_libraries"] ?? "").split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces).trimmingCharacters(in: ["\""]) }
        let kept = libraries.filter { !own.contains($0) }
        var settings = settings
        settings["shared_preload_libraries"] = kept.isEmpty ? nil : kept.joined(separator: ",")
        if kept.contains("timescaledb") { settings["timescaledb.max_background_workers"] = "0" }
        return settings
    }

    /// Replaces the copied configuration by ours; what was there stays beside it under another name.
    ///
    /// `signal` is the file that makes it a standby, or lets it recover (`standby.signal`, `recovery.signal`).
    static func install(in place: ServerDirectory, signal: String? = nil) async throws {
        let script = #"""
            umask 077
            cd "$1/data" || exit 1
            for file in postgresql.conf postgresql.auto.conf pg_hba.conf pg_ident.conf; do
                if test -f "$file"; then mv -f "$file" "$file.source" || exit 1; fi
            done
            echo "include_if_exists = '../martlet.conf'" >postgresql.conf &&
                : >postgresql.auto.conf && : >pg_ident.conf &&
                printf 'local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n' >pg_hba.conf &&
                rm -f standby.signal recovery.signal postmaster.pid postmaster.opts &&
                { test -z "$2" || : >"$2"; } &&
                : >../martlet.conf
            """#
        let outcome = try await Program.ofServer(script: script, [place.path, signal ?? ""]).run()
        guard outcome.isSuccess else {
            throw PostgresError("could not configure the server in \"\(place.path)\"", detail: outcome.complaint)
        }
    }
}
