import Catalog
import Postgres

/// The script in the directory of a server of ours that brings the segments of an archive.
///
/// The server's recovery runs it, and so does a search for what was lost.
struct LogFetcher {
    let place: ServerDirectory

    private var script: String { place.path + "/fetch.sh" }

    /// Writes the script; `fetch` gets a segment's name as `$1` and its place as `$2`, and leaves its exit status in `status`: 0 when it
    /// is there, 1 when there is none, anything else is a failure.
    ///
    /// A failure ends the server (a status above 125, `RestoreArchivedFile`), as it would otherwise pass for the end of the log. So does
    /// log that makes a tablespace, which replayed on the machine of the source would write into the source's own folders.
    func write(_ fetch: String, major: Int) async throws {
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

    /// What runs it, in the data directory of the server (`restore_command`).
    var restoreCommand: String {
        // A percent sign is doubled there.
        func word(_ text: String) -> String { ShellWord(text).quoted.replacing("%", with: "%%") }
        return "sh \(word(script)) %f \"%p\" \(word(place.data))"
    }

    /// Brings files into a folder, each under a name of its own, up to the first one that is not there; those in the folder stay.
    ///
    /// - Returns: how many are there.
    func fetch(_ files: [(name: String, own: String)], to folder: String) async throws -> Int {
        let script = #"""
            script=$1 data=$2 folder=$3 there=0
            shift 3
            umask 077
            mkdir -p "$folder" || exit 2
            while test $# != 0; do
                if ! test -e "$folder/$2"; then
                    sh "$script" "$1" "$folder/$2.new" "$data"
                    status=$?
                    test $status != 1 || break
                    test $status = 0 && mv "$folder/$2.new" "$folder/$2" || exit 2
                fi
                there=$((there + 1))
                shift 2
            done
            echo "$there"
            """#
        let outcome = try await Program.ofServer(
            script: script,
            [self.script, place.data, folder] + files.flatMap { [$0.name, $0.own] }
        ).run()
        try Task.checkCancellation()
        guard outcome.isSuccess, let count = Int(outcome.output.trimmingPrefix("\n").prefix { $0.isNumber }) else {
            throw Self.tablespace(in: outcome.complaint)
                ?? PostgresError("could not fetch the log", detail: outcome.complaint)
        }
        return count
    }

    /// Why a recovery ended that was to make a tablespace; nil for any other end.
    static func tablespace(in complaint: String) -> PostgresError? {
        guard let made = complaint.firstMatch(of: /martlet: the log makes a tablespace: (.*)/) else { return nil }
        return PostgresError(
            "tablespaces were made since the backup",
            detail: "\(made.1). To replay that on the machine of the source would write into its folders.",
            hint: "Take a new backup, which has them; later moments can be restored from it."
        )
    }
}
