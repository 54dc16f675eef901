import Engine
import Foundation
import Move
import Postgres
import Sync

/// Turns a report into lines.
struct Painter {
    let output: Output
    private var last: (at: Date, bytes: Int, rows: Int)?
    private var rate: (bytes: Double, rows: Double) = (0, 0)
    private var lastLag: (at: Date, bytes: Double)?
    /// By how many bytes a second the lag grows; nil before it was seen twice.
    private var lagGrowth: Double?

    init(output: Output) {
        self.output = output
    }

    /// The whole picture, its lines no longer than `width`; nil leaves them as they are.
    ///
    /// `reading` is what those know who look from outside; nil for the terminal in which the move runs.
    mutating func lines(_ report: StatusReport, width: Int?, reading: StatusReading? = nil) -> [String] {
        measure(report)
        var lines = text("\(report.source) → \(report.target)", width, .bold)
        lines += runnerLines(report, reading, width)
        let seconds = report.at.timeIntervalSince(report.started)
        let time = reading.map { $0.runner == .running } ?? true ? Self.duration(seconds) : ""
        let activity = Self.isCatchingUp(report) ? "catching up" : report.activity
        let state = [report.phase.title, activity, time].filter { !$0.isEmpty }
        lines += text(state.joined(separator: " · "), width)
        if let waiting = report.waiting { lines += text("waiting: \(waiting)", width, .yellow) }
        if let warning = report.warning { lines += text("warning: \(warning)", width, .yellow) }
        lines += holdLines(report).flatMap { text($0, width, .yellow) }
        if !report.tables.isEmpty { lines += loadLines(report).map { Self.cut($0, to: width) } }
        for worker in report.workers ?? [] { lines += text(Self.workerLine(worker, at: report.at), width) }
        if let follow = report.follow { lines += text(followLine(follow, report, reading), width) }
        lines += standingLines(report, width)
        if let comparison = report.comparison {
            lines += text(comparison.summary, width, comparison.isEqual ? .green : .red)
        }
        if let next = Self.next(report, reading) { lines += text("next: \(next)", width, .dim) }
        return lines
    }

    /// One paragraph, broken into lines that are coloured each for itself.
    private func text(_ text: String, _ width: Int?, _ style: Output.Style? = nil) -> [String] {
        Layout.wrap(Layout.plain(text), to: width, indent: "  ").map { line in
            let fitting = Self.cut(line, to: width)
            return style.map { output.styled(fitting, $0) } ?? fitting
        }
    }

    /// Tables that stand still, and how tables have become different, with what to do.
    private func standingLines(_ report: StatusReport, _ width: Int?) -> [String] {
        var lines: [String] = []
        for table in report.follow?.standing ?? [] {
            let age = Self.duration(report.at.timeIntervalSince(table.since))
            lines += text("table \"\(table.table)\" stands still since \(age): \(table.message)", width, .red)
            for part in [table.detail, table.hint] {
                lines += (part ?? "").split(separator: "\n").flatMap { text("  \($0)", width) }
            }
        }
        let standing = Set((report.follow?.standing ?? []).compactMap(\.hint).flatMap { $0.split(separator: "\n") })
        for drift in report.drift ?? [] {
            let parts = drift.split(separator: "\n")
            if let statement = parts.last, standing.contains(statement) { continue }
            lines += text(String(parts.first ?? ""), width, .yellow)
            lines += parts.dropFirst().flatMap { text("  \($0)", width) }
        }
        return lines
    }

    /// Why nothing goes on, for how long in all, and what that keeps the source from.
    private func holdLines(_ report: StatusReport) -> [String] {
        let total = report.heldSeconds.map { Self.duration($0) }
        guard let hold = report.hold else {
            return total.map { ["held for \($0) in all"] } ?? []
        }
        let what =
            hold.reason == .paused
            ? "\(hold.text) at \(hold.since.formatted(Self.moment))" : "held: \(hold.text)"
        var lines = [what + (total.map { " (held for \($0) in all)" } ?? "")]
        if let back = report.heldBack {
            lines.append(
                "warning: the snapshot of the copy is open for \(Self.duration(back.seconds)); VACUUM on the source removes "
                    + "nothing that died since (\(Quantity.of(back.transactions, "transaction")))"
            )
        }
        return lines
    }

    /// What must be known first when nobody is at work.
    private func runnerLines(_ report: StatusReport, _ reading: StatusReading?, _ width: Int?) -> [String] {
        guard let reading, reading.runner == .stopped, !report.phase.isLast else { return [] }
        let heard = reading.lastHeard.map { " (last heard of at \($0.formatted(Self.moment)))" } ?? ""
        var lines = text("stopped: no martlet runs this move\(heard)", width, .yellow)
        for (number, line) in (reading.error ?? "").split(separator: "\n").enumerated() {
            lines += text(number == 0 ? "error: \(line)" : "  \(line)", width, number == 0 ? .red : nil)
        }
        return lines
    }

    /// What can be done now.
    private static func next(_ report: StatusReport, _ reading: StatusReading?) -> String? {
        if report.hold?.reason == .paused, reading?.runner != .stopped { return "martlet resume" }
        if let reading, reading.runner != .running, !report.phase.isLast {
            return reading.runner == .stopped ? "run martlet migrate again; it goes on where it was" : nil
        }
        switch report.phase {
        case .following where report.activity == "waiting for changes":
            let commands = "martlet verify, martlet cutover"
            return reading == nil ? "\(commands) (in another terminal); ^C stops, and can be resumed" : commands
        case .reversing: return "martlet rollback, or martlet finish" + (reading == nil ? " (in another terminal)" : "")
        case .copied: return "martlet verify, then martlet finish"
        case .rolledBack, .switched: return "martlet finish"
        default: return nil
        }
    }

    /// A moment as 2026-03-01 14:05:09, whatever the locale.
    private static let moment = Date.VerbatimFormatStyle(
        format: """
            \(year: .padded(4))-\(month: .twoDigits)-\(day: .twoDigits) \
            \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits)
            """,
        timeZone: .current,
        calendar: Calendar(identifier: .gregorian)
    )

    private mutating func measure(_ report: StatusReport) {
        measureLag(report)
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

    private mutating func measureLag(_ report: StatusReport) {
        guard let lag = report.lag.map({ Double($0.bytes) }) else { return (lastLag, lagGrowth) = (nil, nil) }
        if let last = lastLag {
            let seconds = report.at.timeIntervalSince(last.at)
            guard seconds > 0 else { return }
            let now = (lag - last.bytes) / seconds
            // Smoothed over about ten seconds: what is read and applied comes in shares.
            lagGrowth = lagGrowth.map { $0 + (now - $0) * min(1, seconds / 10) } ?? now
        }
        lastLag = (report.at, lag)
    }

    /// Whether so much log is not applied yet that it takes a while.
    private static func isCatchingUp(_ report: StatusReport) -> Bool {
        report.activity == "waiting for changes" && report.lag.map { $0.bytes >= 16 << 20 } ?? false
    }

    /// How long a lag will last, or that it grows.
    private func lagOutlook(_ lag: StatusReport.Lag, _ report: StatusReport) -> String {
        guard Self.isCatchingUp(report), let growth = lagGrowth, abs(growth) >= 1000 else { return "" }
        let change = "\(Self.size(Int(abs(growth))))/s"
        return growth < 0
            ? ", shrinks by \(change), eta \(Self.duration(Double(lag.bytes) / -growth))" : ", grows by \(change)"
    }

    private func loadLines(_ report: StatusReport) -> [String] {
        let ready = report.tables.filter { $0.load.state == .ready }
        let total = report.tables.map(\.load.totalBytes).reduce(0, +)
        let done = report.tables.map { min($0.load.bytes, $0.load.totalBytes) }.reduce(0, +)
        guard ready.count < report.tables.count else {
            let rows = report.tables.map(\.load.rows).reduce(0, +)
            return ["tables \(ready.count) of \(ready.count) ready, \(Quantity.of(rows, "row")) copied"]
        }
        let remaining = Double(total - done)
        let limit = report.maxRate.map { " (limit \(Self.size($0))/s)" } ?? ""
        let eta = rate.bytes > 1 ? ", eta \(Self.duration(remaining / rate.bytes))" : ""
        var lines = [
            "tables \(ready.count) of \(report.tables.count) ready · \(Self.size(done)) of \(Self.size(total)) · "
                + "\(Self.size(Int(rate.bytes)))/s\(limit) · \(Self.count(Int(rate.rows))) rows/s\(eta)"
        ]
        let active = report.tables.filter { $0.load.state == .loading || $0.load.state == .loaded }
        for table in active.prefix(8) {
            let share = table.load.totalBytes == 0 ? 1 : Double(table.load.bytes) / Double(table.load.totalBytes)
            let state =
                table.load.state == .loaded
                ? "indexes \(table.load.indexesBuilt) of \(table.load.indexes)"
                : "\(Self.size(table.load.bytes)) of \(Self.size(table.load.totalBytes))"
            lines.append("  \(Self.bar(share)) \(Layout.plain(table.qualifiedName.description))  \(state)")
        }
        return lines
    }

    /// A martlet on another machine, what it does, and how fast.
    static func workerLine(_ worker: LoadProgress.WorkerProgress, at now: Date) -> String {
        var parts = ["worker \(worker.name), \(Quantity.of(worker.sessions, "session"))"]
        parts.append("\(size(worker.bytes)), \(size(Int(worker.bytesPerSecond)))/s")
        let silence = now.timeIntervalSince(worker.lastHeard)
        if silence >= 3 { parts.append("not heard of for \(duration(silence))") }
        parts.append(worker.pieces.isEmpty ? "waits" : worker.pieces.map(\.text).joined(separator: ", "))
        return parts.joined(separator: " · ")
    }

    private func followLine(_ follow: Follower.Progress, _ report: StatusReport, _ reading: StatusReading?) -> String {
        let counters = follow.counters
        var parts = [
            "\(Quantity.of(counters.changes, "change")) in \(Quantity.of(counters.transactions, "transaction"))"
        ]
        if reading.map({ $0.runner != .stopped }) ?? true {
            if let lag = report.lag {
                let (size, seconds) = (Self.size(Int(clamping: lag.bytes)), String(format: "%.1f", lag.seconds))
                parts.append("lag \(size), \(seconds) s\(lagOutlook(lag, report))")
                if let beat = lag.heartbeatMilliseconds { parts.append("heartbeat \(Self.heartbeat(beat))") }
            } else if report.phase != .loading {
                parts.append("lag unknown")
            }
        }
        parts.append("spool \(Self.size(Int(clamping: follow.spoolBytes)))")
        if counters.replays > 0 { parts.append("replays \(Quantity.grouped(counters.replays))") }
        return parts.joined(separator: " · ")
    }

    /// A time in milliseconds, from a second on in seconds.
    static func heartbeat(_ milliseconds: Double) -> String {
        milliseconds < 999.5 ? "\(Int(milliseconds.rounded())) ms" : String(format: "%.1f s", milliseconds / 1000)
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
    static func count(_ number: Int) -> String { Quantity.grouped(number) }

    /// A duration that somebody has waited for: below ten seconds with a decimal.
    static func elapsed(_ seconds: Double) -> String {
        seconds < 10 ? String(format: "%.1f s", seconds) : duration(seconds)
    }

    /// A duration in the two units that matter.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "?" }
        let whole = Int(max(0, seconds))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole / 60 % 60) min"
    }

    private static func cut(_ line: String, to width: Int?) -> String {
        width.map { Layout.cut(line, to: $0) } ?? line
    }
}
