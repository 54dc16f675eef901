import Cluster
import Foundation
import Move
import Postgres

/// What a demo found.
struct DemoReport: Sendable {
    var versions = ""
    var bytes = 0
    var tables = 0
    var rows = 0
    var copiedBytes = 0
    var copyTime = Duration.zero
    var catchUpTime = Duration.zero
    var lag: StatusReport.Lag?
    var verdict: StatusReport.Comparison?
    var verifyTime = Duration.zero
    var cutover: Crossing?
    var rollback: Crossing?
    var comparison: DemoComparison.Outcome?
    var failedChecks: [String] = []
    var leftovers: [String] = []
    var total = Duration.zero
    /// What was being done when the longest pause of a writer began.
    var longestPauseStep: String?
    private(set) var writers: WorkloadTally?
    private(set) var readers: WorkloadTally?

    /// What was not as it must be; empty when all is well.
    private(set) var problems: [String] = []

    /// How long the application stood still when it went to the other server.
    struct Crossing: Sendable {
        let report: CutoverReport
        let pause: WorkloadTally.Pause?

        init(_ report: CutoverReport, _ pauses: [WorkloadTally.Pause]) {
            self.report = report
            pause = pauses.max { $0.duration < $1.duration }
        }

        /// One line for people.
        var line: String {
            let own = "\(Int(report.downtimeMilliseconds.rounded())) ms by martlet's clock"
            guard let pause else { return own }
            return
                "\(own); a writer took at most \(milliseconds(pause.duration)) from its last operation there to its first "
                + "here = "
                + "\(milliseconds(pause.leaving)) until told to switch (\(pause.refusals) refusals), "
                + "\(milliseconds(pause.connecting)) to connect, \(milliseconds(pause.working)) first operation"
        }

        /// martlet's own steps while writers stand still.
        var steps: String {
            report.steps.filter(\.isDowntime).map { String(format: "%@ %.0f", $0.name, $0.milliseconds) }
                .joined(separator: ", ") + " (ms)"
        }
    }

    /// Takes what the application counted, and decides whether everything is as it must be.
    mutating func judge(writers: WorkloadTally, readers: WorkloadTally, longestPause: Duration) {
        self.writers = writers
        self.readers = readers
        if verdict?.isEqual != true {
            problems.append("martlet verify under load: \(verdict?.summary ?? "no verdict")")
        }
        problems += (comparison?.differences ?? ["no comparison at rest"]).map { "at rest: \($0)" }
        problems += failedChecks.map { "the shop's own figures on the old server: \($0)" }
        problems += leftovers.map { "left behind: \($0)" }
        if let surprise = writers.firstSurprise ?? readers.firstSurprise {
            problems.append("an operation failed: \(surprise.message)")
        }
        if writers.unknown > 0 { problems.append("\(writers.unknown) operations lost their connection") }
        if let pause = writers.longestPause, pause.duration >= longestPause {
            problems.append("a writer stood still for \(milliseconds(pause.duration))")
        }
    }

    /// The copy in one line.
    var copyLine: String {
        let rate = Double(copiedBytes) / 1e6 / max(0.001, copyTime / .seconds(1))
        return
            "\(Painter.count(rows)) rows of \(tables) tables, each partition one, \(Painter.size(copiedBytes)) sent in "
            + "\(Self.seconds(copyTime)) with their indexes: \(String(format: "%.0f", rate)) MB/s"
    }

    /// The verdict of `martlet verify` in one line, with the time from the question to the answer.
    var verdictLine: String {
        guard let verdict else { return "none" }
        return "\(verdict.summary), partitions as one table; asked and answered within \(Self.seconds(verifyTime))"
    }

    /// The lag in one line.
    var lagLine: String {
        let heartbeat = lag?.heartbeatMilliseconds.map { String(format: ", heartbeat %.0f ms", $0) } ?? ""
        return String(format: "lag %.1f s", lag?.seconds ?? 0) + heartbeat
            + "; constraints and catching up took \(Self.seconds(catchUpTime))"
    }

    /// The whole report, in lines of so many columns; nil leaves them as they are.
    func text(width columns: Int?) -> String {
        let operations = writers.map { writers in
            writers.acknowledged.sorted { $0.key > $1.key }
                .map { "\(Painter.count($0.value)) on the \($0.key) server" }.joined(separator: ", ")
                + "; \(Painter.count(writers.retries)) tries repeated, \(writers.unknown) unknown"
        }
        var lines: [(String, String)] = [
            ("servers", versions), ("database", Painter.size(bytes)), ("copy", copyLine), ("following", lagLine),
            ("writers' operations", operations ?? ""), ("their latency", Self.latency(writers)),
            ("readers' latency", Self.latency(readers)),
            ("verdict under load", verdictLine),
            ("verdict at rest", comparison?.line ?? "none"),
        ]
        for (name, crossing) in [("cutover", cutover), ("rollback", rollback)] {
            guard let crossing else { continue }
            lines += [(name, crossing.line), ("", crossing.steps)]
        }
        lines += [
            ("longest pause", longestPause),
            ("left behind", leftovers.isEmpty ? "nothing" : leftovers.joined(separator: "; ")),
            ("total time", Self.seconds(total)),
        ]
        let width = lines.map(\.0.count).max() ?? 0
        let indent = String(repeating: " ", count: width + 2)
        let table = lines.flatMap { line in
            Layout.wrap(
                line.0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + line.1,
                to: columns,
                indent: indent
            )
        }
        let verdict =
            problems.isEmpty
            ? ["All checks hold."] : problems.flatMap { Layout.wrap("PROBLEM: \($0)", to: columns, indent: "  ") }
        return (table + verdict).joined(separator: "\n")
    }

    private var longestPause: String {
        guard let pause = writers?.longestPause else { return "none" }
        let between =
            pause.from == pause.to
            ? "two operations on the \(pause.from) server"
            : "the last on the \(pause.from) and the first on the \(pause.to) server"
        return "\(milliseconds(pause.duration)) of \(pause.session) in the whole demo, between \(between), "
            + "begun while \(longestPauseStep ?? "at work")"
    }

    private static func latency(_ tally: WorkloadTally?) -> String {
        guard let latency = tally?.latency, latency.count > 0 else { return "none measured" }
        let shares = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]
        return shares.map { "\($0.0) \(milliseconds(latency.percentile($0.1)))" }.joined(separator: ", ")
            + ", max \(milliseconds(latency.longest))"
    }

    static func seconds(_ duration: Duration) -> String {
        String(format: "%.1f s", duration / .seconds(1))
    }
}

/// A time in milliseconds.
private func milliseconds(_ duration: Duration) -> String {
    let number = duration / .milliseconds(1)
    return String(format: number < 10 ? "%.1f ms" : "%.0f ms", number)
}
