import Catalog
import Foundation
import Postgres

/// What backup programs of others have in common.
enum BackupTool {
    /// Runs one of them as the account of our servers, and returns what it printed.
    ///
    /// - Throws: when it is not installed, with `hint` or the package of Debian that has its name, or what it says.
    static func run(_ name: String, _ arguments: [String], hint: String? = nil) async throws -> String {
        // A shell finds it on the path that its own account has.
        let outcome = try await Program.ofServer(
            script: #"command -v "$1" >/dev/null 2>&1 || exit 127; exec "$@""#,
            [name] + arguments
        ).run()
        try Task.checkCancellation()
        if outcome.isSuccess { return outcome.output }
        let isMissing = outcome.complaint.isEmpty && outcome.output.isEmpty
        throw PostgresError(
            isMissing ? "could not find the program \(name)" : "\(name) failed",
            detail: isMissing
                ? nil : [outcome.complaint, outcome.output].filter { !$0.isEmpty }.joined(separator: "\n"),
            hint: isMissing ? hint ?? "Install it: apt-get install \(name)" : nil
        )
    }

    static func makeFolders(in place: ServerDirectory) async throws {
        let outcome = try await Program.ofServer(
            script: #"umask 077; mkdir -p "$1/data" "$1/tablespaces""#,
            [place.path]
        ).run()
        guard outcome.isSuccess else {
            throw PostgresError("could not make a folder in \"\(place.path)\"", detail: outcome.complaint)
        }
    }

    /// The places that a server had, without which its log cannot be replayed (pg_control), and the libraries it loads.
    static func settings(of place: ServerDirectory, major: Int) async throws -> [String: String] {
        let binaries = try await Installation.server(major: major)
        let control = try await place.controlData(binaries)
        let names = [
            "max_connections": "max_connections", "max_worker_processes": "max_worker_processes",
            "max_wal_senders": "max_wal_senders", "max_prepared_xacts": "max_prepared_transactions",
            "max_locks_per_xact": "max_locks_per_transaction",
        ]
        var settings: [String: String] = [:]
        for (told, name) in names { settings[name] = control[told + " setting"] }
        // The last one counts. Debian keeps the file elsewhere; then it is not in the backup.
        let files = try await Program.ofServer(
            script: #"cat "$1/postgresql.conf" "$1/postgresql.auto.conf" 2>/dev/null; true"#,
            [place.data]
        ).run()
        let libraries = files.output.matches(
            of: /^\s*shared_preload_libraries\s*=?\s*'([^']*)'/.anchorsMatchLineEndings()
        ).last
        if let libraries, !libraries.1.isEmpty { settings["shared_preload_libraries"] = String(libraries.1) }
        return settings
    }
}
