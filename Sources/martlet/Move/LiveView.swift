import Engine
import Foundation
import Move
import Sync

/// A calm picture of a running move, redrawn in place on a terminal; nothing where there is none.
struct LiveView: Sendable {
    let output: Output

    /// Runs `body` while the picture is shown.
    func show<Result: Sendable>(
        _ monitor: Monitor,
        while body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        guard output.isTerminal else { return try await body() }
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                var screen = Screen(output: output)
                var painter = Painter(output: output)
                while !Task.isCancelled {
                    screen.draw(painter.lines(monitor.report, width: screen.width))
                    // Ends early when cancelled, which is what the loop looks for.
                    try? await Task.sleep(for: .milliseconds(250))
                }
                screen.draw(painter.lines(monitor.report, width: screen.width))
                return nil
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            while let finished = try await group.next() {
                guard let result = finished else { continue }
                group.cancelAll()
                try await group.waitForAll()
                return result
            }
            throw CancellationError()
        }
    }
}

/// A block of lines at the bottom of the terminal that can be drawn again.
struct Screen {
    let output: Output
    private var height = 0

    init(output: Output) {
        self.output = output
    }

    /// Columns of the terminal.
    var width: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    mutating func draw(_ lines: [String]) {
        var text = height > 0 ? "\u{1b}[\(height)A" : ""
        for line in lines { text += "\u{1b}[2K" + line + "\n" }
        if height > lines.count {
            let rest = height - lines.count
            text += String(repeating: "\u{1b}[2K\n", count: rest) + "\u{1b}[\(rest)A"
        }
        height = lines.count
        FileHandle.standardError.write(Data(text.utf8))
    }
}

/// Turns a report into lines.
struct Painter {
    let output: Output
    private var last: (at: Date, bytes: Int, rows: Int)?
    private var rate: (bytes: Double, rows: Double) = (0, 0)

    init(output: Output) {
        self.output = output
    }

    /// The whole picture; `width` is the terminal's, lines are cut to it.
    mutating func lines(_ report: StatusReport, width: Int) -> [String] {
        measure(report)
        var lines = [
            output.styled("\(report.source) → \(report.target)", .bold),
            "\(report.phase.title) · \(report.activity) · \(Self.duration(report.at.timeIntervalSince(report.started)))",
        ]
        if let waiting = report.waiting { lines.append(output.styled("waiting: \(waiting)", .yellow)) }
        if !report.tables.isEmpty { lines += loadLines(report, width: width) }
        if let follow = report.follow { lines += followLines(follow, report.lag) }
        if let comparison = report.comparison {
            lines.append(output.styled(comparison.summary, comparison.isEqual ? .green : .red))
        }
        if report.phase == .following, report.activity == "waiting for changes" {
            lines.append(output.styled("next: martlet verify, martlet cutover (in another terminal); ^C stops, and can be resumed", .dim))
        }
        return lines.map { Self.cut($0, to: width) }
    }

    private mutating func measure(_ report: StatusReport) {
        let bytes = report.tables.map(\.load.bytes).reduce(0, +)
        let rows = report.tables.map(\.load.rows).reduce(0, +)
        if let last, report.at.timeIntervalSince(last.at) > 0 {
            let seconds = report.at.timeIntervalSince(last.at)
            // Smoothed over about two seconds.
            rate.bytes += (Double(bytes - last.bytes) / seconds - rate.bytes) * min(1, seconds / 2)
            rate.rows += (Double(rows - last.rows) / seconds - rate.rows) * min(1, seconds / 2)
        }
        last = (report.at, bytes, rows)
    }

    private func loadLines(_ report: StatusReport, width: Int) -> [String] {
        let ready = report.tables.filter { $0.load.state == .ready }
        let total = report.tables.map(\.load.totalBytes).reduce(0, +)
        let done = report.tables.map { min($0.load.bytes, $0.load.totalBytes) }.reduce(0, +)
        guard ready.count < report.tables.count else {
            let rows = report.tables.map(\.load.rows).reduce(0, +)
            return ["tables \(ready.count) of \(ready.count) ready, \(Self.count(rows)) rows copied"]
        }
        let remaining = Double(total - done)
        let eta = rate.bytes > 1 ? ", eta \(Self.duration(remaining / rate.bytes))" : ""
        var lines = [
            "tables \(ready.count) of \(report.tables.count) ready · \(Self.size(done)) of \(Self.size(total)) · "
                + "\(Self.size(Int(rate.bytes)))/s · \(Self.count(Int(rate.rows))) rows/s\(eta)"
        ]
        let active = report.tables.filter { $0.load.state == .loading || $0.load.state == .loaded }
        for table in active.prefix(8) {
            let share = table.load.totalBytes == 0 ? 1 : Double(table.load.bytes) / Double(table.load.totalBytes)
            let state =
                table.load.state == .loaded
                ? "indexes \(table.load.indexesBuilt) of \(table.load.indexes)"
                : "\(Self.size(table.load.bytes)) of \(Self.size(table.load.totalBytes))"
            lines.append("  \(Self.bar(share)) \(table.qualifiedName)  \(state)")
        }
        return lines
    }

    private func followLines(_ follow: Follower.Progress, _ lag: StatusReport.Lag?) -> [String] {
        var parts = ["changes \(Self.count(follow.counters.changes)) in \(Self.count(follow.counters.transactions)) transactions"]
        if let lag {
            parts.append("lag \(Self.size(Int(clamping: lag.bytes))), \(String(format: "%.1f", lag.seconds)) s")
            if let beat = lag.heartbeatMilliseconds { parts.append("heartbeat \(Int(beat.rounded())) ms") }
        }
        parts.append("spool \(Self.size(Int(clamping: follow.spoolBytes)))")
        if follow.counters.replays > 0 { parts.append("replays \(follow.counters.replays)") }
        return [parts.joined(separator: " · ")]
    }

    /// A bar of twenty cells.
    static func bar(_ share: Double) -> String {
        let cells = Int((max(0, min(1, share)) * 20).rounded())
        return String(repeating: "█", count: cells) + String(repeating: "░", count: 20 - cells)
    }

    /// A size in the unit that people would choose.
    static func size(_ bytes: Int) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(bytes)
        var unit = 0
        while abs(value) >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : String(format: value < 10 ? "%.1f %@" : "%.0f %@", value, units[unit])
    }

    /// A count with its thousands apart.
    static func count(_ number: Int) -> String {
        var text = String(abs(number))
        var at = text.count - 3
        while at > 0 {
            text.insert(",", at: text.index(text.startIndex, offsetBy: at))
            at -= 3
        }
        return number < 0 ? "-" + text : text
    }

    /// A duration in the two units that matter.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "?" }
        let whole = Int(max(0, seconds))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole / 60 % 60) min"
    }

    private static func cut(_ line: String, to width: Int) -> String {
        // Colour codes take no room; they only stand at the ends.
        guard line.count > width, !line.hasPrefix("\u{1b}") else { return line }
        return String(line.prefix(max(1, width - 1))) + "…"
    }
}
