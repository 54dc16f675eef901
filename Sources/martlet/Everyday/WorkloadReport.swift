import Cluster
import Foundation
import Postgres
import Sync

/// What the clients of a workload did, for people and for programs.
struct WorkloadReport {
    private let writers: WorkloadTally
    private let readers: WorkloadTally
    private let seconds: Double

    init(writers: WorkloadTally, readers: WorkloadTally, seconds: Double) {
        (self.writers, self.readers, self.seconds) = (writers, readers, seconds)
    }

    /// What they did until now.
    init(_ workload: Workload, since began: ContinuousClock.Instant) {
        self.init(writers: workload.writers, readers: workload.readers, seconds: began.duration(to: .now) / .seconds(1))
    }

    /// Whether an operation failed in a way that no client expects.
    var hasSurprise: Bool { writers.firstSurprise != nil || readers.firstSurprise != nil }

    /// A table, and below it what went wrong.
    var lines: [String] {
        var table = TextTable(["", "OPERATIONS", "PER SECOND", "P50", "P95", "P99", "LONGEST STALL", "ERRORS"])
        for (title, tally) in [("writers", writers), ("readers", readers)]
        where tally.total > 0 || !tally.errors.isEmpty {
            let times = [0.5, 0.95, 0.99].map { Self.time(tally.latency.percentile($0)) }
            let errors = tally.errors.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)×" }.joined(
                separator: ", "
            )
            let cells = [
                title, Quantity.grouped(tally.total), Quantity.grouped(Int(Double(tally.total) / max(seconds, 0.001))),
            ]
            let stall = tally.longestPause.map { Self.time($0.duration) } ?? "-"
            table.add(cells + times + [stall, errors.isEmpty ? "none" : errors])
        }
        let lines = table.text.split(separator: "\n").map(String.init)
        let surprise = writers.firstSurprise ?? readers.firstSurprise
        return lines + (surprise.map { ["first error: \($0.message)"] } ?? [])
    }

    private static func time(_ duration: Duration) -> String {
        let milliseconds = duration / .milliseconds(1)
        return milliseconds < 1000
            ? String(format: "%.1f ms", milliseconds) : String(format: "%.1f s", milliseconds / 1000)
    }

    // MARK: For programs

    /// What `--json` prints; the keys are stable, times are milliseconds.
    struct Document: Encodable {
        struct Clients: Encodable {
            let operations: Int, retries: Int, unknown: Int
            let p50: Double, p95: Double, p99: Double
            let longestStall: Double
            let errors: [String: Int]
            let firstError: String?
        }
        let seconds: Double
        let writers: Clients
        let readers: Clients
    }

    var document: Document {
        Document(seconds: seconds, writers: Self.clients(writers), readers: Self.clients(readers))
    }

    private static func clients(_ tally: WorkloadTally) -> Document.Clients {
        func time(_ share: Double) -> Double { tally.latency.percentile(share) / .milliseconds(1) }
        return Document.Clients(
            operations: tally.total,
            retries: tally.retries,
            unknown: tally.unknown,
            p50: time(0.5),
            p95: time(0.95),
            p99: time(0.99),
            longestStall: tally.longestPause.map { $0.duration / .milliseconds(1) } ?? 0,
            errors: tally.errors,
            firstError: tally.firstSurprise?.message
        )
    }
}
