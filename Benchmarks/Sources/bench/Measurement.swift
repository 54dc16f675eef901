import Cluster
import Foundation

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
    /// The largest resident set of any process of the client, in bytes; 0 when there is none.
    var memory: Int
}

/// Processor seconds of both servers at one moment.
struct ServerClock {
    let source: Double
    let target: Double

    init(_ servers: Servers) {
        let table = ProcessTable.read()
        source = table.seconds(ofServer: servers.source.process ?? -1)
        target = table.seconds(ofServer: servers.target.process ?? -1)
    }
}

/// One line of a table: who ran, how, and what every round took.
struct Contender {
    let name: String
    let command: String
    let isPeer: Bool
    var rounds: [Measurement] = []

    init(_ name: String, _ command: String, isPeer: Bool = true) {
        self.name = name
        self.command = command
        self.isPeer = isPeer
    }

    func median(_ value: (Measurement) -> Double) -> Double { rounds.map(value).median }
}

extension [Double] {
    var median: Double {
        guard !isEmpty else { return .nan }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
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
