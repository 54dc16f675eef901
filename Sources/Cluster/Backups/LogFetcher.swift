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
    /// log that makes a tablespace before the place that is replayed to: on the machine of the source it would write into the source's
    /// own folders.
    func write(_ fetch: String, major: Int) async throws {
        let look = ShellWord(try await Installation.server(major: major).program("pg_waldump")).quoted
        try await place.write(
            """
            cd "$3" || exit 255
            \(fetch)
            test "$status" = 0 || { test "$status" = 1 && exit 1; exit 255; }
            test "$4" = replay || exit 0
            case $1 in *.history) exit 0 ;; esac
            mkdir -p ../look && { ln -f "$2" "../look/$1" 2>/dev/null || cp "$2" "../look/$1"; } || exit 255
            made=$(\(look) -r Tablespace "../look/$1" 2>/dev/null | grep 'desc: CREATE' | head -n 1)
            rm -f "../look/$1"
            test -n "$made" || exit 0
            at=$(echo "$made" | sed -E 's|.*lsn: ([0-9A-F]+)/([0-9A-F]+),.*|0x\\1 * 4294967296 + 0x\\2|')
            test -n "$5" && test $(($at)) -ge "$5" && exit 0
            echo "martlet: the log makes a tablespace: $made" >&2
            exit 255

            """,
            to: "fetch.sh"
        )
    }

    /// What runs it, in the data directory of the server (`restore_command`); what begins at `end` or behind it is not replayed.
    func restoreCommand(until end: LSN?) -> String {
        // A percent sign is doubled there.
        func word(_ text: String) -> String { ShellWord(text).quoted.replacing("%", with: "%%") }
        return "sh \(word(script)) %f \"%p\" \(word(place.data)) replay\(end.map { " \($0.value)" } ?? "")"
    }

    /// A file that is wanted under one of several names, which begin with the number of a timeline.
    struct Wanted {
        let names: [String]
        /// What it is called in the folder.
        let own: String
    }

    /// Brings files into a folder, up to the first one that is not there under any of its names; those in the folder stay.
    ///
    /// What was found on a timeline is not followed by what is on an older one.
    ///
    /// - Returns: how many are there, and the timeline of the last one.
    func fetch(
        _ files: [Wanted],
        to folder: String,
        timeline: Int
    ) async throws -> (count: Int, timeline: Int) {
        // What a program prints is for people.
        let body = #"""
            script=$1 data=$2 folder=$3 timeline=$4 there=0
            shift 4
            umask 077
            mkdir -p "$folder" || exit 2
            while test $# != 0; do
                if ! test -e "$folder/$1"; then
                    found=
                    for name in $2; do
                        this=$((0x$(printf %.8s "$name")))
                        test $this -ge $timeline || continue
                        rm -f "$folder/$1.new"
                        sh "$script" "$name" "$folder/$1.new" "$data" look >&2
                        status=$?
                        test $status != 1 || continue
                        test $status = 0 && mv "$folder/$1.new" "$folder/$1" || exit 2
                        found=$this
                        break
                    done
                    test -n "$found" || break
                    timeline=$found
                fi
                there=$((there + 1))
                shift 2
            done
            echo "$there $timeline"
            """#
        let outcome = try await Program.ofServer(
            script: body,
            [script, place.data, folder, String(timeline)]
                + files.flatMap { [$0.own, $0.names.joined(separator: " ")] }
        ).run()
        try Task.checkCancellation()
        let numbers = outcome.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard outcome.isSuccess, numbers.count == 2 else {
            throw PostgresError("could not fetch the log", detail: outcome.complaint)
        }
        return (numbers[0], numbers[1])
    }

    private static let tablespacesMade = "tablespaces were made since the backup"

    /// Whether recovery ended because it was to make a tablespace.
    static func madeTablespace(_ error: PostgresError) -> Bool { error.message == tablespacesMade }

    /// Why a recovery ended that was to make a tablespace; nil for any other end.
    static func tablespace(in log: String) -> PostgresError? {
        guard let made = log.firstMatch(of: /martlet: the log makes a tablespace: (.*)/) else { return nil }
        return PostgresError(
            tablespacesMade,
            detail: "\(made.1). To replay that on the machine of the source would write into its folders.",
            hint: "Take a new backup, which has them; later moments can be restored from it."
        )
    }
}
