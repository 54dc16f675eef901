import Catalog
import Foundation
import Postgres

/// What backup programs of others have in common.
enum BackupTool {
    /// Runs one of them as the account of our servers, and returns what it printed.
    ///
    /// - Throws: when it is not installed, or what it says.
    static func run(_ name: String, _ arguments: [String]) async throws -> String {
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
            hint: isMissing ? "Install it: apt-get install \(name)" : nil
        )
    }

    /// A word of a command in `postgresql.conf`, where a percent sign is doubled.
    static func word(_ text: String) -> String { ShellWord(text).quoted.replacing("%", with: "%%") }

    /// Writes the script that recovery runs for each segment; `fetch` gets the segment's name as `$1` and its place as `$2`, and
    /// leaves its exit status in `status`: 0 when it is there, 1 when there is none, anything else is a failure.
    ///
    /// A failure ends the server (a status above 125, `RestoreArchivedFile`), as it would otherwise pass for the end of the log. So does
    /// log that makes a tablespace, which replayed on the machine of the source would write into the source's own folders.
    static func writeFetcher(_ fetch: String, in place: ServerDirectory, major: Int) async throws {
        let look = ShellWord(try await Installation.server(major: major).program("pg_waldump")).quoted
        try await place.write(
            """
            cd "$3" || exit 255
            \(fetch)
            test "$status" = 0 || { test "$status" = 1 && exit 1; exit 255; }
            case $1 in *.history) exit 0 ;; esac
            mkdir -p ../look && { ln -f "$2" "../look/$1" 2>/dev/null || cp "$2" "../look/$1"; } || exit 255
            made=$(\(look) -r Tablespace "../look/$1" 2>/dev/null | grep 'desc: CREATE')
            rm -f "../look/$1"
            test -z "$made" || { echo "martlet: the log makes a tablespace: $made" >&2; exit 255; }

            """,
            to: "fetch.sh"
        )
    }

    /// What runs that script, in the data directory of the server.
    static func restoreCommand(for place: ServerDirectory) -> String {
        "sh \(word(place.path + "/fetch.sh")) %f \"%p\" \(word(place.data))"
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
        let control = try await Program.ofServer(
            try binaries.program("pg_controldata"),
            [place.data],
            environment: binaries.serverEnvironment.merging(["LC_ALL": "C"]) { $1 }
        ).run()
        guard control.isSuccess else {
            throw PostgresError("what was restored is not the data directory of a server", detail: control.complaint)
        }
        let names = [
            "max_connections": "max_connections", "max_worker_processes": "max_worker_processes",
            "max_wal_senders": "max_wal_senders", "max_prepared_xacts": "max_prepared_transactions",
            "max_locks_per_xact": "max_locks_per_transaction",
        ]
        var settings: [String: String] = [:]
        for match in control.output.matches(of: /(\w+) setting:\s+(\w+)/) {
            if let name = names[String(match.1)] { settings[name] = String(match.2) }
        }
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
