import Catalog
import Foundation
import Postgres

/// A transaction that removed files of tables when it committed: a DROP, a TRUNCATE, a rewrite of the whole table.
struct FileRemoval: Sendable, Hashable {
    /// Where its commit record begins.
    let place: LSN
    let transaction: UInt64
    /// It and its subtransactions, which have locks under their own numbers.
    let transactions: Set<UInt64>
    let at: Date
    /// The files, as `pg_relation_filepath` writes them: `base/5/16384`.
    let files: Set<String>
}

/// What a log tells, as pg_waldump reads it.
struct LogCommits {
    /// The folders with segments; of one that is in several the first counts.
    let folders: [String]
    let binaries: Installation

    /// The commits from a place to the end of the log that removed files.
    ///
    /// - Throws: when a segment is missing before the last one, or what pg_waldump says of a log that is damaged before its end.
    func removals(from start: LSN, timeline: Int) async throws -> [FileRemoval] {
        try await read("Transaction", "COMMIT.* rels: ", from: start, timeline).compactMap(Self.removal)
    }

    /// Where each transaction took its first ACCESS EXCLUSIVE lock, which a standby takes for it until it ends.
    func firstLocks(from start: LSN, timeline: Int) async throws -> [UInt64: LSN] {
        let places = try await read("Standby", "desc: LOCK ", from: start, timeline).flatMap {
            line -> [(UInt64, LSN)] in
            // …, lsn: 0/01529A38, prev 0/01529A00, desc: LOCK xid 735 db 5 rel 16384
            guard let place = line.firstMatch(of: /lsn: ([0-9A-F]+\/[0-9A-F]+),/).flatMap({ LSN($0.1) }) else {
                return []
            }
            return line.matches(of: /xid (\d+)\b/).compactMap { match in UInt64(match.1).map { ($0, place) } }
        }
        return Dictionary(places) { min($0, $1) }
    }

    /// Whether tablespaces were made from a place on.
    func makesTablespaces(since start: LSN, timeline: Int) async throws -> Bool {
        try await !read("Tablespace", "desc: CREATE", from: start, timeline).isEmpty
    }

    /// The records of a resource manager that match a pattern of grep.
    private func read(
        _ manager: String,
        _ pattern: String,
        from start: LSN,
        _ timeline: Int
    ) async throws -> [Substring] {
        // One folder of links, because pg_waldump reads one. It complains at the end of the log: that a record is none, or that
        // the segment behind the last one is not there.
        let script = #"""
            export LC_ALL=C TZ=UTC
            folder=$(mktemp -d) || exit 1
            trap 'rm -rf "$folder"' EXIT
            program=$1 start=$2 timeline=$3 manager=$4 pattern=$5
            shift 5
            for place; do
                for file in "$place"/????????????????????????; do
                    test -e "$file" && { test -e "$folder/${file##*/}" || ln -s "$file" "$folder/"; }
                done
            done
            # One that is being fetched ends with zeros.
            for place; do
                for file in "$place"/????????????????????????.partial; do
                    name=${file##*/}
                    test -e "$file" && { test -e "$folder/${name%.partial}" || ln -s "$file" "$folder/${name%.partial}"; }
                done
            done
            "$program" -p "$folder" -s "$start" -t "$timeline" -r "$manager" 2>"$folder/complaint" | grep -E "$pattern"
            last=$(ls "$folder" | grep -E '^[0-9A-F]{24}$' | tail -n 1)
            missing=$(sed -n 's/.*could not find file "\([0-9A-F]\{24\}\)".*/\1/p' "$folder/complaint" | head -n 1)
            if test -n "$missing" && test "$(printf '%s\n%s\n' "$missing" "$last" | sort | tail -n 1)" = "$last"; then
                echo "segment $missing is missing, and $last is there" >&2
            fi
            grep -v 'invalid record length\|could not find file\|incorrect prev-link\|invalid magic number\|unexpected pageaddr\|out-of-sequence\|invalid resource manager' "$folder/complaint" >&2
            exit 0
            """#
        let outcome = try await Program.ofServer(
            script: script,
            [try binaries.program("pg_waldump"), "\(start)", String(timeline), manager, pattern] + folders,
            environment: binaries.serverEnvironment
        ).run()
        try Task.checkCancellation()
        guard outcome.complaint.isEmpty else {
            throw PostgresError("could not read the log from \(start) on", detail: outcome.complaint)
        }
        return outcome.output.split(separator: "\n")
    }

    /// Reads `…, tx: 735, lsn: 0/01529A38, prev 0/01529A00, desc: COMMIT 2026-11-23 03:00:11.123456 UTC; rels: base/5/16384 …; …`.
    static func removal(_ line: some StringProtocol) -> FileRemoval? {
        let form =
            /tx:\s*(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+),.* desc: COMMIT\S*(?: \d+:)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC;.*?\brels: ([^;]*)/
        guard let match = String(line).firstMatch(of: form), let transaction = UInt64(match.1),
            let place = LSN(match.2),
            let at = RestoreTarget.date(String(match.3) + "+00")
        else { return nil }
        // Those of temporary tables have the number of a session in their names.
        let files = match.4.split(separator: " ").filter { $0.firstMatch(of: /\/t\d+_/) == nil }.map(String.init)
        guard !files.isEmpty else { return nil }
        let parts = String(line).firstMatch(of: /; subxacts: ([0-9 ]+)/).map { $0.1.split(separator: " ") } ?? []
        return FileRemoval(
            place: place,
            transaction: transaction,
            transactions: Set([transaction] + parts.compactMap { UInt64($0) }),
            at: at,
            files: Set(files)
        )
    }
}
