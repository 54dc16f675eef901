import Foundation
import Move
import Sync

/// A status for machines: the report, who runs the move, and figures that people can read too.
struct StatusDocument: Encodable {
    private let reading: StatusReading

    init(_ reading: StatusReading) {
        self.reading = reading
        // A tenth of a millisecond is more than anybody can use.
        let beat = reading.report.lag?.heartbeatMilliseconds
        report = reading.report
        report.lag?.heartbeatMilliseconds = beat.map(Self.rounded)
    }

    private var report: StatusReport

    private enum Key: CodingKey {
        case runner, host, process, lastHeard, error, follow
    }

    func encode(to encoder: any Encoder) throws {
        try report.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(reading.runner, forKey: .runner)
        try container.encodeIfPresent(reading.who?.host, forKey: .host)
        try container.encodeIfPresent(reading.who?.process, forKey: .process)
        try container.encodeIfPresent(reading.lastHeard, forKey: .lastHeard)
        try container.encodeIfPresent(reading.error, forKey: .error)
        try container.encodeIfPresent(report.follow.map(Follow.init), forKey: .follow)
    }

    private static func rounded(_ milliseconds: Double) -> Double { (milliseconds * 10).rounded() / 10 }

    /// The stream's figures with a commit time that can be read.
    private struct Follow: Encodable {
        let progress: Follower.Progress

        private enum Key: CodingKey {
            case received, applied, confirmed, spoolBytes, standing, counters
        }

        private enum CounterKey: CodingKey {
            case transactions, changes, rows, groups, replays, lastCommitTime, heartbeatMilliseconds
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(progress.received, forKey: .received)
            try container.encode(progress.applied, forKey: .applied)
            try container.encode(progress.confirmed, forKey: .confirmed)
            try container.encode(progress.spoolBytes, forKey: .spoolBytes)
            try container.encode(progress.standing, forKey: .standing)
            var counters = container.nestedContainer(keyedBy: CounterKey.self, forKey: .counters)
            let own = progress.counters
            try counters.encode(own.transactions, forKey: .transactions)
            try counters.encode(own.changes, forKey: .changes)
            try counters.encode(own.rows, forKey: .rows)
            try counters.encode(own.groups, forKey: .groups)
            try counters.encode(own.replays, forKey: .replays)
            if own.lastCommitTime > 0 {
                // Microseconds since 2000-01-01, as the protocol has them.
                let time = Date(timeIntervalSince1970: Double(own.lastCommitTime) / 1e6 + 946_684_800)
                try counters.encode(time, forKey: .lastCommitTime)
            }
            try counters.encodeIfPresent(
                own.heartbeatMilliseconds.map(StatusDocument.rounded),
                forKey: .heartbeatMilliseconds
            )
        }
    }
}
