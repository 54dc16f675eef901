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

/// What the log behind a backup tells of lost files, as pg_waldump reads it.
///
/// It is fetched and read a gigabyte at a time, whatever keeps it, and follows the newest timeline as a recovery does.
struct LogCommits {
    let backup: Backup
    /// Where the backup was restored to.
    let place: ServerDirectory
    let binaries: Installation

    /// The commits that removed files, the first one first.
    private(set) var removals: [FileRemoval] = []
    /// Where each transaction took its first ACCESS EXCLUSIVE lock, which a standby takes for it until it ends.
    private(set) var firstLocks: [UInt64: LSN] = [:]

    private var fetcher: LogFetcher { LogFetcher(place: place) }
    private var folder: String { place.path + "/window" }

    /// Reads all of it; `progress` gets the place that is being read.
    ///
    /// - Throws: when a segment is missing before the last one, or what pg_waldump says of a log that is damaged before its end.
    init(
        since backup: Backup,
        in place: ServerDirectory,
        _ binaries: Installation,
        progress: (LSN) -> Void
    ) async throws {
        (self.backup, self.place, self.binaries) = (backup, place, binaries)
        let size = try await place.segmentSize(binaries)
        let timelines = try await timelines()
        let count = max(1, (1 << 30) / size)
        var (start, first) = (backup.start, backup.start.value / size)
        while true {
            progress(start)
            // A record may go on in the segment behind. pg_waldump wants all of one timeline.
            let files = (first...first + count).map { number in
                let timeline = timelines.timeline(ofSegment: number, size: size)
                return (
                    name: LogTimelines.segmentName(number, timeline: timeline, size: size),
                    own: LogTimelines.segmentName(number, timeline: backup.timeline, size: size)
                )
            }
            let there = try await fetcher.fetch(files, to: folder)
            try await read(from: start)
            guard there == files.count else {
                try await checkEnd(files[there].name, number: first + UInt64(there), timelines, size)
                break
            }
            try await remove(files.dropLast().map(\.own))
            first += count
            start = LSN(first * size)
        }
        try await remove([])
    }

    /// The timelines on the way to the newest one that the archive knows (`findNewestTimeLine` in timeline.c).
    private func timelines() async throws -> LogTimelines {
        var newest = backup.timeline
        while true {
            let name = LogTimelines.historyName(of: newest + 1)
            guard try await fetcher.fetch([(name, name)], to: folder) == 1 else { break }
            newest += 1
        }
        guard newest > backup.timeline else { return LogTimelines(only: newest) }
        let file = "\(folder)/\(LogTimelines.historyName(of: newest))"
        let timelines = LogTimelines(history: try String(contentsOfFile: file, encoding: .utf8), of: newest)
        guard timelines.contains(backup.timeline) else { throw Restore.anotherWay(of: "the log", timeline: newest) }
        return timelines
    }

    /// Refuses a segment that is missing while the next one is there.
    private func checkEnd(_ missing: String, number: UInt64, _ timelines: LogTimelines, _ size: UInt64) async throws {
        let timeline = timelines.timeline(ofSegment: number + 1, size: size)
        let next = LogTimelines.segmentName(number + 1, timeline: timeline, size: size)
        guard try await fetcher.fetch([(next, next + ".next")], to: folder) == 1 else { return }
        throw PostgresError(
            "could not read the log from \(backup.start) on",
            detail: "Segment \(missing) is missing, and \(next) is there."
        )
    }

    /// Removes segments that were read, or with none the folder.
    private func remove(_ names: [String]) async throws {
        let script = #"cd "$1" && shift && rm -f -- "$@""#
        let all = #"rm -rf "$1""#
        let outcome = try await Program.ofServer(script: names.isEmpty ? all : script, [folder] + names).run()
        guard outcome.isSuccess else {
            throw PostgresError("could not remove log that was read", detail: outcome.complaint)
        }
    }

    private mutating func read(from start: LSN) async throws {
        // Those of the last segment are read again with the next ones.
        let last = removals.last?.place ?? .zero
        removals += try await lines("Transaction", "COMMIT.* rels: ", from: start).compactMap(Self.removal)
            .filter { $0.place > last }
        for line in try await lines("Standby", "desc: LOCK ", from: start) {
            // …, lsn: 0/01529A38, prev 0/01529A00, desc: LOCK xid 735 db 5 rel 16384
            guard let place = line.firstMatch(of: /lsn: ([0-9A-F]+\/[0-9A-F]+),/).flatMap({ LSN($0.1) }) else {
                continue
            }
            for match in line.matches(of: /xid (\d+)\b/) {
                guard let transaction = UInt64(match.1) else { continue }
                firstLocks[transaction] = min(firstLocks[transaction] ?? place, place)
            }
        }
    }

    /// The records of a resource manager that match a pattern of grep.
    private func lines(_ manager: String, _ pattern: String, from start: LSN) async throws -> [Substring] {
        // It complains at the end of the log: that a record is none, or that the segment behind the last one is not there.
        let script = #"""
            export LC_ALL=C TZ=UTC
            "$1" -p "$2" -s "$3" -t "$4" -r "$5" 2>"$2/complaint" | grep -E "$6"
            grep -v 'invalid record length\|could not find file\|incorrect prev-link\|invalid magic number\|unexpected pageaddr\|out-of-sequence\|invalid resource manager' "$2/complaint" | grep -v "$7" >&2
            exit 0
            """#
        // It ends at the beginning of a segment, too.
        let ending = start == backup.start ? "^$" : "could not find a valid record"
        let outcome = try await Program.ofServer(
            script: script,
            [
                try binaries.program("pg_waldump"), folder, "\(start)", String(backup.timeline), manager, pattern,
                ending,
            ],
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
