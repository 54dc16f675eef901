public import Engine
public import Foundation
public import Postgres
public import Sync

/// What a move looks like from outside at one moment; kept in the journal once a second.
public struct StatusReport: Sendable, Hashable, Codable {
    /// One table.
    public struct Table: Sendable, Hashable, Codable {
        /// Its schema.
        public var schema: String
        /// Its name.
        public var name: String
        /// How far its load is.
        public var load: LoadProgress.TableProgress

        /// The name as people read it.
        public var qualifiedName: QualifiedName { QualifiedName(schema: schema, name: name) }
    }

    /// How far the stream of changes is behind.
    public struct Lag: Sendable, Hashable, Codable {
        /// Bytes of the source's log that are not applied.
        public var bytes: UInt64
        /// Age of the last applied transaction when more are waiting; 0 when none is.
        public var seconds: Double
        /// What a message took from the source's commit to here, in milliseconds.
        public var heartbeatMilliseconds: Double?
    }

    /// What the snapshot of a copy that is held keeps the source from: VACUUM removes nothing that it still sees.
    public struct HeldBack: Sendable, Hashable, Codable {
        /// How long the snapshot is open.
        public var seconds: Double
        /// How many transactions have begun on the source since.
        public var transactions: Int
    }

    /// The last comparison.
    public struct Comparison: Sendable, Hashable, Codable {
        /// Whether all was equal.
        public var isEqual: Bool
        /// When.
        public var at: Date
        /// What was compared, for people.
        public var summary: String
    }

    /// The migration's id.
    public var id: String
    /// The phase.
    public var phase: Phase
    /// What is being done in it.
    public var activity: String
    /// What it waits for, and who is in the way.
    public var waiting: String?
    /// What will end the move unless somebody acts.
    public var warning: String?
    /// Why it is held now; nil when it goes on.
    public var hold: Throttle.Hold?
    /// How long this run has been held in all, in seconds; nil when it never was.
    public var heldSeconds: Double?
    /// What the snapshot of the copy that is held keeps the source from.
    public var heldBack: HeldBack?
    /// The most that this run may copy in a second, in bytes; nil when there is no limit.
    public var maxRate: Int?
    /// Where it comes from.
    public var source: String
    /// Where it goes.
    public var target: String
    /// When this martlet started.
    public var started: Date
    /// When this was written.
    public var at: Date
    /// The tables.
    public var tables: [Table]
    /// The martlets on other machines that help to load; nil when there are none.
    public var workers: [LoadProgress.WorkerProgress]?
    /// The stream.
    public var follow: Follower.Progress?
    /// How far the stream is behind.
    public var lag: Lag?
    /// How tables have become different since they were copied, with the statements that make them alike.
    public var drift: [String]?
    /// The last comparison.
    public var comparison: Comparison?
    /// The last switch of the application from one server to the other.
    public var cutover: CutoverReport?
    /// Where the time of this run went.
    public var stages: Stages.Report?
    /// Whether martlet has lost a server and tries to reach it again; what is said about the stream is old then.
    public var isDisconnected: Bool?

    /// Takes over what is held, and why.
    mutating func note(_ throttle: Throttle) {
        let report = throttle.report
        hold = report.hold
        heldSeconds = report.held > .zero ? (report.held / .milliseconds(100)).rounded() / 10 : nil
        maxRate = throttle.limits.rate
        if hold == nil { heldBack = nil }
    }
}
