import Catalog
import Foundation

/// How many tables to copy, and indexes to build, at once, when nobody has said.
///
/// As many as this machine has processors, at least two: while one worker waits for a server the other one works. Fewer when
/// there is less to share out, when a server has few connections left, or when others are busy on the source. The
/// reason is the first of these that decides.
public struct JobChoice: Sendable, Hashable, Codable {
    /// How many.
    public let count: Int
    /// Why not more, as the end of a sentence: "this machine has 2 processors".
    public let reason: String

    /// What decides it.
    struct Facts {
        /// The processors of this machine.
        var processors: Int
        /// How many pieces of work there are, see ``JobChoice/pieces(of:)``.
        var pieces: Int
        /// How many jobs have room on the source.
        var sourceRoom: Int
        /// How many have room on the target; nil when there is none yet.
        var targetRoom: Int?
        /// How many sessions of others are at work on the source.
        var busy: Int
    }

    private static let most = 16
    private static let smallTable = 8 << 20
    /// What one part of a cut table has; see `LoadTable`.
    private static let part = 64 << 20

    /// Chooses.
    init(_ facts: Facts) {
        let processors = Finding.count(facts.processors, "processor")
        var choices = [
            (min(max(2, facts.processors), Self.most), "this machine has \(processors)"),
            (
                max(1, facts.pieces),
                facts.pieces <= 1 ? "there is little to share out" : "there are \(facts.pieces) pieces to copy"
            ),
            (max(1, facts.sourceRoom), "the source has few connections left"),
        ]
        if let room = facts.targetRoom { choices.append((max(1, room), "the target has few connections left")) }
        var (count, reason) = choices[0]
        for choice in choices where choice.0 < count { (count, reason) = choice }
        if facts.busy >= count, count > 1 {
            count = (count + 1) / 2
            reason =
                "\(Finding.count(facts.busy, "other session")) \(facts.busy == 1 ? "is" : "are") busy on the source"
        }
        (self.count, self.reason) = (count, reason)
    }

    /// How many pieces of work that are worth a worker of their own: parts of large tables and their indexes, batches of
    /// large objects; small tables count together.
    static func pieces(of tables: [Table], largeObjectBytes: Int = 0) -> Int {
        let stored = tables.filter { $0.kind == .ordinary }
        let large = stored.filter { $0.bytes >= smallTable }
        let small = stored.filter { $0.bytes < smallTable }
        // What many small tables cost are the round trips.
        let together = max(small.reduce(0) { $0 + $1.bytes } / smallTable, small.count / 50, small.isEmpty ? 0 : 1)
        return large.reduce(together + largeObjectBytes / part) { $0 + max(1, $1.bytes / part, $1.indexes.count) }
    }

    /// What decides it for these two servers.
    static func choose(source: SourceSurvey, target: TargetSurvey?, options: Preflight.Options) -> JobChoice {
        JobChoice(
            Facts(
                processors: ProcessInfo.processInfo.activeProcessorCount,
                pieces: pieces(of: source.tables, largeObjectBytes: source.largeObjects.bytes),
                // Two stay free for others.
                sourceRoom: source.server.freeConnections - 2 - options.sourceSessions,
                targetRoom: (target?.server.freeConnections).map { ($0 - 2 - options.targetSessions) / 2 },
                busy: source.server.busySessions
            )
        )
    }
}

extension Preflight.Options {
    /// The sessions that a move has on the source besides one for each job.
    var sourceSessions: Int { isOnce ? 2 : 5 }
    /// The sessions that it has on the target besides two for each job.
    var targetSessions: Int { isOnce ? 4 : 7 }
    /// How many jobs it is to have, as somebody has said, or as was chosen.
    var jobCount: Int { jobs ?? 2 }
}

extension ServerSurvey {
    /// How many sessions find room, in the narrowest of the limits.
    var freeConnections: Int {
        [connections, databaseConnections, roleConnections].compactMap { $0?.free }.min() ?? 0
    }
}

extension Finding {
    /// Says what was chosen, and why.
    init(_ choice: JobChoice) {
        self.init(
            "both.jobs",
            .pass,
            "\(Finding.count(choice.count, "table")) at a time would be copied, as \(choice.reason)",
            detail: "--jobs N decides it otherwise."
        )
    }
}
