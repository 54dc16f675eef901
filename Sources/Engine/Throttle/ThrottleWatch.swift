import Foundation
public import Postgres

/// Looks whether the move is paused, and once a second at the servers' load, and tells a ``Throttle``.
///
/// One session on the target; one more on the source when there is a limit that needs it.
public struct ThrottleWatch: Sendable {
    private let throttle: Throttle
    private let source: ConnectionString
    private let target: ConnectionString

    private static let pauseInterval = Duration.milliseconds(200)
    private static let interval = Duration.seconds(1)

    /// Describes a watch; the journal is on `target`.
    public init(_ throttle: Throttle, source: ConnectionString, target: ConnectionString) {
        self.throttle = throttle
        self.source = source
        self.target = target
    }

    /// Refuses limits for which the role may not see enough, before anything is begun.
    public static func check(
        _ limits: Limits,
        source: Connection,
        target: Connection
    ) throws(PostgresError) {
        if limits.sourceLoad != nil { try requireStatistics("--max-source-load", "the source", source) }
        guard limits.replicaLag != nil else { return }
        try requireStatistics("--max-replica-lag", "the source", source)
        try requireStatistics("--max-replica-lag", "the target", target)
    }

    private static func requireStatistics(
        _ option: String,
        _ place: String,
        _ server: Connection
    ) throws(PostgresError) {
        let row = try server.query(
            "SELECT current_user AS role, pg_has_role('pg_read_all_stats', 'USAGE') AS may_look"
        ).first
        guard let row, try !row("may_look", as: Bool.self) else { return }
        let role: Identifier = try row("role")
        throw PostgresError(
            "\(option) needs a right on \(place)",
            detail: "Role \(role.quoted) cannot see what other sessions do.",
            hint: "GRANT pg_read_all_stats TO \(role.quoted), or leave \(option) out."
        )
    }

    /// Watches until the task is cancelled or the journal is gone.
    ///
    /// - Throws: when a server cannot be asked.
    public func run() async throws {
        try await withNeutralConnection(to: target, application: "martlet throttle") { target in
            guard throttle.limits.asksServers else { return try await watch(nil, target) }
            try await withNeutralConnection(to: source, application: "martlet throttle") { source in
                try await watch(source, target)
            }
        }
    }

    private func watch(_ source: Connection?, _ target: Connection) async throws {
        var load = Gauge()
        var ofSource = ReplicaGauge(of: "source", throttle.limits)
        var ofTarget = ReplicaGauge(of: "target", throttle.limits)
        var next = ContinuousClock.now
        while true {
            guard try isPauseNotedUnlessOver(target) else { return }
            let now = ContinuousClock.now
            if !throttle.isUsed {
                load = Gauge()
                next = now
            } else if let source, now >= next {
                if let limit = throttle.limits.sourceLoad { load.look(try Self.load(on: source, above: limit)) }
                if throttle.limits.replicaLag != nil {
                    try ofSource.look(at: source, now)
                    try ofTarget.look(at: target, now)
                }
                throttle.note(sourceLoad: load.text, replicaLag: ofSource.text ?? ofTarget.text)
                next = now + Self.interval
            }
            try await Task.sleep(for: Self.pauseInterval)
        }
    }

    /// Looks whether the move is paused; false when the journal is gone, as it is at the end of a move.
    private func isPauseNotedUnlessOver(_ target: Connection) throws(PostgresError) -> Bool {
        do {
            throttle.note(paused: try Journal.paused(on: target))
            return true
        } catch  where ["42P01", "3F000"].contains(error.sqlState) {
            return false
        } catch  where error.isTransient {
            // It is just being dropped, which locks its tables one after the other.
            return true
        }
    }

    private static func load(on source: Connection, above limit: Int) throws(PostgresError) -> String? {
        let active = try source.query(EngineSQL.throttleSourceLoad).first?("active", as: Int.self) ?? 0
        return active > limit ? "\(active) active session\(active == 1 ? "" : "s") on the source, limit \(limit)" : nil
    }
}

/// How far the replicas of one server are behind.
private struct ReplicaGauge {
    private let side: String
    private let limit: Duration
    private var history: LogHistory
    private var gauge = Gauge()

    init(of side: String, _ limits: Limits) {
        self.side = side
        limit = limits.replicaLag ?? .zero
        history = LogHistory(span: limit)
    }

    /// What is over the limit, for people.
    var text: String? { gauge.text }

    mutating func look(at server: Connection, _ now: ContinuousClock.Instant) throws(PostgresError) {
        var slowest: (name: String, lag: Duration)?
        for row in try server.query(EngineSQL.throttleReplicas) {
            history.note(try row("log_end"), at: now)
            guard let replayed: LSN = try row.optional("replay_lsn") else { continue }
            let reported: Double? = try row.optional("reported")
            let name: String = try row("name")
            let lag = history.lag(of: replayed, reported: reported.map { .seconds($0) }, at: now)
            if lag > slowest?.lag ?? limit { slowest = (name, lag) }
        }
        gauge.look(
            slowest.map {
                "replica \($0.name) of the \(side) is \(Self.seconds($0.lag)) behind, limit \(Self.seconds(limit))"
            }
        )
    }

    private static func seconds(_ duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        return seconds == seconds.rounded() || seconds >= 10 ? "\(Int(seconds)) s" : String(format: "%.1f s", seconds)
    }
}
