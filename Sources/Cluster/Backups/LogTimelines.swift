import Foundation
import Postgres

/// Which timeline each segment of a log is on, for a recovery that follows the newest one (`XLogFileReadAnyTLI` in xlogrecovery.c).
struct LogTimelines {
    /// The older ones, and where each ends, the oldest first.
    private let ended: [(timeline: Int, end: LSN)]
    private let newest: Int

    /// A log with one timeline only.
    init(only timeline: Int) {
        (ended, newest) = ([], timeline)
    }

    /// Reads the file `0000000X.history` of the newest timeline: a line for each older one, its number and its end.
    init(history: String, of newest: Int) {
        ended = history.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count >= 2, let timeline = Int(words[0]), let end = LSN(words[1]) else { return nil }
            return (timeline, end)
        }
        self.newest = newest
    }

    /// Whether a timeline is the newest or one that led to it.
    func contains(_ timeline: Int) -> Bool { timeline == newest || ended.contains { $0.timeline == timeline } }

    /// The timelines that may have a segment, the newest first; one in which a timeline ends is in the next one, too.
    func timelines(ofSegment number: UInt64, size: UInt64) -> [Int] {
        let all = ended.map { ($0.timeline, UInt64?($0.end.value / size)) } + [(newest, nil)]
        var begin: UInt64 = 0
        var found: [Int] = []
        for (timeline, end) in all {
            if begin <= number, number <= end ?? .max { found.insert(timeline, at: 0) }
            begin = end ?? begin
        }
        return found
    }

    /// Where a timeline ends; nil for the newest one.
    func end(of timeline: Int) -> LSN? { ended.first { $0.timeline == timeline }?.end }

    /// The name of a timeline's history file.
    static func historyName(of timeline: Int) -> String { Self.hex(UInt64(timeline)) + ".history" }

    /// The name of a segment (`XLogFileName`).
    static func segmentName(_ number: UInt64, timeline: Int, size: UInt64) -> String {
        let each = (UInt64(1) << 32) / size
        return hex(UInt64(timeline)) + hex(number / each) + hex(number % each)
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }
}
