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
/// It is fetched and read a window at a time, whatever keeps it, and follows the newest timeline as a recovery does.
struct LogCommits {
    private let backup: Backup
    private let place: ServerDirectory
    private let binaries: Installation
    private let size: UInt64

    /// The commits that removed files, the first one first.
    private(set) var removals: [FileRemoval] = []
    /// Where each transaction took its first ACCESS EXCLUSIVE lock on each relation, which a standby takes for it until it ends.
    private(set) var locks: [UInt64: [UInt32: LSN]] = [:]
    /// Where it ends, at most a segment too far.
    private(set) var end: LSN
    /// When the last transaction in it ended, by the clock of its server.
    private(set) var lastCommit: Date?

    private var fetcher: LogFetcher { LogFetcher(place: place) }
    private var folder: String { place.path + "/window" }

    /// How much log is fetched at once, in bytes.
    static let window: UInt64 = 1 << 30

    /// Reads all of it, or up to a place; `place` is where the backup was restored to, and `progress` gets where it is.
    ///
    /// - Throws: when it is not whole: a segment is missing while a later one is there, the place is not reached, or what pg_waldump
    ///   cannot read is followed by what it can.
    init(
        since backup: Backup,
        until: LSN?,
        in place: ServerDirectory,
        _ binaries: Installation,
        window: UInt64 = window,
        progress: (LSN) -> Void
    ) async throws {
        (self.backup, self.place, self.binaries, end) = (backup, place, binaries, backup.start)
        size = try await place.segmentSize(binaries)
        let timelines = try await timelines()
        let count = max(1, window / size)
        var (start, first, timeline) = (backup.start, backup.start.value / size, backup.timeline)
        var stuck: LSN?
        while true {
            progress(start)
            let began = timeline
            // A record may go on in the segment behind.
            let files = (first...first + count).map { wanted($0, timelines) }
            let there = try await fetcher.fetch(files, to: folder, timeline: timeline)
            timeline = there.timeline
            let own = files.prefix(there.count).map(\.own)
            guard let last = own.last else { throw missing(files[0]) }
            let next = first + UInt64(there.count)
            // What an old primary has written behind the place at which it was left belongs to nobody.
            let limit = timelines.end(of: timeline).flatMap { $0.value < next * size ? $0 : nil }
            let inner = try await read(from: start, to: limit, own[0], last)
            end = inner ?? limit ?? LSN(next * size)
            if inner != nil || there.count < files.count {
                if let until, end >= until { break }
                let unread = inner.map { own.dropFirst(Int($0.value / size - first) + 1) } ?? []
                guard let problem = try await problem(at: inner, unread, behind: next, timelines, timeline) else {
                    break
                }
                // A server that goes on writing may have filled the segment meanwhile.
                guard end != stuck else { throw problem }
                (stuck, timeline) = (end, began)
                first = min(end.value / size, next - 1)
                start = max(start, LSN(first * size))
                try await remove([])
                continue
            }
            first += count
            start = LSN(first * size)
            if let until, start > until { break }
            try await remove(own.dropLast())
        }
        try await remove([])
        guard let until else { return }
        guard end >= until else { throw missing(wanted(end.value / size, timelines)) }
        removals.removeAll { $0.place >= until }
    }

    // MARK: Fetching

    /// The timelines on the way to the newest one that the archive knows (`findNewestTimeLine` in timeline.c).
    private func timelines() async throws -> LogTimelines {
        var newest = backup.timeline
        while true {
            let name = LogTimelines.historyName(of: newest + 1)
            let wanted = LogFetcher.Wanted(names: [name], own: name)
            guard try await fetcher.fetch([wanted], to: folder, timeline: 0).count == 1 else { break }
            newest += 1
        }
        guard newest > backup.timeline else { return LogTimelines(only: newest) }
        let file = "\(folder)/\(LogTimelines.historyName(of: newest))"
        let timelines = LogTimelines(history: try String(contentsOfFile: file, encoding: .utf8), of: newest)
        guard timelines.end(of: backup.timeline).map({ $0 >= backup.stop }) == true else {
            throw Restore.anotherWay(timeline: newest)
        }
        return timelines
    }

    /// A segment, from whichever timeline it is, with the number of the backup's: pg_waldump reads one timeline.
    private func wanted(_ number: UInt64, _ timelines: LogTimelines) -> LogFetcher.Wanted {
        func name(_ timeline: Int) -> String { LogTimelines.segmentName(number, timeline: timeline, size: size) }
        return LogFetcher.Wanted(
            names: timelines.timelines(ofSegment: number, size: size).map(name),
            own: name(backup.timeline)
        )
    }

    private func missing(_ wanted: LogFetcher.Wanted, butThereIs later: String? = nil) -> PostgresError {
        PostgresError(
            "the log since backup \(backup.name) is not whole",
            detail:
                "Segment \(wanted.names.first ?? wanted.own) is missing\(later.map { ", and \($0) is there" } ?? "").",
            hint: "What was lost behind it cannot be found. Look for the segment where it was archived."
        )
    }

    /// What makes an end none, at a record or else before a segment that is missing: log in the segments that were not read, or in
    /// one of sixteen behind them.
    private func problem(
        at end: LSN?,
        _ unread: ArraySlice<String>,
        behind number: UInt64,
        _ timelines: LogTimelines,
        _ timeline: Int
    ) async throws -> PostgresError? {
        if let end, let segment = try await firstWithRecords(unread, in: folder) { return damage(at: end, segment) }
        let later = folder + "/later"
        for next in number...number + 16 {
            let wanted = wanted(next, timelines)
            guard try await fetcher.fetch([wanted], to: later, timeline: timeline).count == 1 else { continue }
            guard let end else { return missing(self.wanted(number, timelines), butThereIs: wanted.own) }
            if let segment = try await firstWithRecords([wanted.own], in: later) { return damage(at: end, segment) }
        }
        return nil
    }

    /// Removes what was read, or with no names the folder.
    private func remove(_ names: [String]) async throws {
        let script = names.isEmpty ? #"rm -rf "$1""# : #"cd "$1" && shift && rm -rf -- "$@""#
        let outcome = try await Program.ofServer(script: script, [folder] + names).run()
        guard outcome.isSuccess else {
            throw PostgresError("could not remove log that was read", detail: outcome.complaint)
        }
    }

    // MARK: Reading

    /// Reads a window; the place of the last record when pg_waldump has stopped inside.
    private mutating func read(from start: LSN, to limit: LSN?, _ first: String, _ last: String) async throws -> LSN? {
        // Those of the last segment are read again with the next ones.
        let known = removals.last?.place ?? .zero
        let pattern = #"COMMIT.* rels:[^;]*/[0-9]+( |;|$)"#
        let commits = try await records("Transaction", pattern, from: start, to: limit, first, last)
        removals += commits.lines.compactMap(Self.removal).filter { $0.place > known }
        lastCommit = commits.last.flatMap(Self.moment) ?? lastCommit
        for line in try await records("Standby", "desc: LOCK ", from: start, to: limit, first, last).lines {
            // …, lsn: 0/01529A38, prev 0/01529A00, desc: LOCK xid 735 db 5 rel 16384
            guard let place = line.firstMatch(of: /lsn: ([0-9A-F]+\/[0-9A-F]+),/).flatMap({ LSN($0.1) }) else {
                continue
            }
            for match in line.matches(of: /xid (\d+) db \d+ rel (\d+)/) {
                guard let transaction = UInt64(match.1), let relation = UInt32(match.2) else { continue }
                locks[transaction, default: [:]][relation] = min(locks[transaction]?[relation] ?? place, place)
            }
        }
        return commits.inner
    }

    /// The records of a resource manager that match a pattern of sed, and the last one of all that ended a transaction.
    private func records(
        _ manager: String,
        _ pattern: String,
        from start: LSN,
        to limit: LSN?,
        _ first: String,
        _ last: String
    ) async throws -> (lines: [Substring], last: Substring?, inner: LSN?) {
        let script = #"""
            export LC_ALL=C TZ=UTC
            "$1" -p "$2" -s "$3" -r "$4" ${8:+-e "$8"} "$5" "$6" 2>"$2/complaint" |
                sed -nE "s/; inval msgs: .*//; \,$7,p; /desc: (COMMIT|ABORT)/h; \${x;s/^/last: /p}"
            cat "$2/complaint" >&2
            """#
        let outcome = try await Program.ofServer(
            script: script,
            [
                try binaries.program("pg_waldump"), folder, "\(start)", manager, first, last, pattern,
                limit.map { "\($0)" } ?? "",
            ],
            environment: binaries.serverEnvironment
        ).run()
        try Task.checkCancellation()
        let lines = outcome.output.split(separator: "\n")
        let last = lines.last.flatMap { $0.hasPrefix("last: ") ? $0 : nil }
        return (last == nil ? lines : lines.dropLast(), last, try end(outcome.complaint, from: start))
    }

    /// Where pg_waldump has stopped; nil behind the last segment.
    private func end(_ complaint: String, from start: LSN) throws -> LSN? {
        guard !complaint.isEmpty else { return nil }
        if let record = complaint.firstMatch(of: /error in WAL record at ([0-9A-F]+\/[0-9A-F]+)/) {
            return LSN(record.1)
        }
        // The log may end where a window begins.
        let nothing = ["could not find a valid record", "WAL segment size"].contains { complaint.contains($0) }
        guard nothing, start > backup.start else {
            throw PostgresError("could not read the log from \(start) on", detail: complaint)
        }
        return start
    }

    /// The first of some segments that has records at its own place; those of a server's own folder may be old ones under new names.
    private func firstWithRecords(_ segments: ArraySlice<String>, in folder: String) async throws -> String? {
        let script = #"""
            program=$1 folder=$2
            shift 2
            for segment; do
                if "$program" -p "$folder" -n 1 "$segment" "$segment" >/dev/null 2>&1; then echo "$segment"; break; fi
            done
            """#
        let outcome = try await Program.ofServer(
            script: script,
            [try binaries.program("pg_waldump"), folder] + segments,
            environment: binaries.serverEnvironment
        ).run()
        try Task.checkCancellation()
        return outcome.output.isEmpty ? nil : outcome.output
    }

    private func damage(at end: LSN, _ segment: String) -> PostgresError {
        PostgresError(
            "the log since backup \(backup.name) is damaged",
            detail: "It cannot be read behind \(end), and segment \(segment) has records.",
            hint: "What was lost behind that place cannot be found."
        )
    }

    private static func moment(_ line: some StringProtocol) -> Date? {
        String(line).firstMatch(of: /desc: [A-Z_]+(?: \d+:)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC/).flatMap {
            RestoreTarget.date(String($0.1) + "+00")
        }
    }

    /// Reads `…, tx: 735, lsn: 0/01529A38, prev 0/01529A00, desc: COMMIT 2026-11-23 03:00:11.123456 UTC; rels: base/5/16384 …; …`.
    static func removal(_ line: some StringProtocol) -> FileRemoval? {
        let form =
            /tx:\s*(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+),.* desc: COMMIT\S*(?: (\d+):)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC;.*?\brels: ([^;]*)/
        // One that was prepared is named behind COMMIT_PREPARED only.
        guard let match = String(line).firstMatch(of: form), let transaction = UInt64(match.3 ?? match.1),
            let place = LSN(match.2),
            let at = RestoreTarget.date(String(match.4) + "+00")
        else { return nil }
        // Those of temporary tables have the number of a session in their names.
        let files = match.5.split(separator: " ").filter { $0.firstMatch(of: /\/t\d+_/) == nil }.map(String.init)
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
