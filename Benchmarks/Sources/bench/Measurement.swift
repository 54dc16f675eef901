import Cluster
import Foundation
import Postgres

/// What one run of one contender took.
struct Measurement {
    /// Seconds on the clock that the table compares.
    var wall: Double
    /// Seconds on a second clock, where a discipline has one.
    var otherWall: Double?
    /// Processor seconds of the client's processes.
    var client: Double
    /// Processor seconds of the source server.
    var source: Double
    /// Processor seconds of the target server.
    var target: Double
    /// Of the client's processes.
    var memory: PeakMemory
    /// Bytes that the target has written to its log.
    var log: Int
}

/// Processor seconds and the log of both servers at one moment.
struct ServerClock {
    let source: Double
    let target: Double
    private let log: LSN

    init(_ servers: Servers) async throws {
        let table = ProcessTable.read()
        source = table.seconds(ofServer: servers.source.process ?? -1)
        target = table.seconds(ofServer: servers.target.process ?? -1)
        log = try await withConnection(to: servers.target.connection()) { target in
            let row = try target.query("SELECT pg_current_wal_lsn() AS lsn").first
            guard let row else { throw Failure("the target does not know where its log is") }
            return try row("lsn")
        }
    }

    /// Bytes of log since.
    func written(since earlier: ServerClock) -> Int { Int(log.value - earlier.log.value) }
}

/// One line of a table: who ran, how, and what every round took.
struct Contender {
    enum Role {
        case peer
        case ours
        /// Does only what cannot be left out: a bound, no peer.
        case limit
    }

    let name: String
    let command: String
    let role: Role
    var rounds: [Measurement] = []
    /// Whether it did not do what it should have done: then it counts for nothing.
    var hasFailed = false

    init(_ name: String, _ command: String, _ role: Role = .peer) {
        self.name = name
        self.command = command
        self.role = role
    }

    static func martlet(_ arguments: String) -> Contender { Contender("**martlet**", "martlet " + arguments, .ours) }

    /// Another build of martlet; nil when there is none to compare with.
    static func otherMartlet(_ arguments: String, _ options: Options) -> Contender? {
        options.otherMartlet.map { Contender("martlet, other build", "'\($0)' " + arguments, .ours) }
    }

    func median(_ value: (Measurement) -> Double) -> Double { rounds.map(value).median }

    /// Whether another round would tell nothing new of a peer.
    func isFarBehind(_ others: [Contender]) -> Bool {
        let best = others.filter { $0.role != .limit && !$0.rounds.isEmpty }.map { $0.median(\.wall) }.min()
        return role == .peer && !rounds.isEmpty && median(\.wall) > slowPeer * (best ?? .infinity)
    }
}

extension [Double] {
    var median: Double {
        guard !isEmpty else { return .nan }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }

    /// The smallest value that a share of all does not exceed.
    func percentile(_ share: Double) -> Double {
        guard !isEmpty else { return .nan }
        return sorted()[Swift.min(count - 1, Int(share * Double(count)))]
    }
}

/// Processor seconds of all commands that have ended and were waited for.
func processorSecondsOfChildren() -> Double {
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage) == 0 else { return 0 }
    let micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(micros) / 1e6
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension Double {
    func formatted(digits: Int) -> String { String(format: "%.\(digits)f", self) }
}
