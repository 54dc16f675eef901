import Engine
import Foundation
import Move
import Postgres
import Sync

/// Turns what a worker does into lines.
struct WorkPainter {
    let output: Output
    let endpoints: Endpoints
    let progress: WorkProgress
    private let started = ContinuousClock.now
    private var last: (at: ContinuousClock.Instant, bytes: Int)?
    private var bytesPerSecond = 0.0

    init(output: Output, endpoints: Endpoints, progress: WorkProgress) {
        self.output = output
        self.endpoints = endpoints
        self.progress = progress
    }

    /// The whole picture; `state` is what it does as a whole.
    mutating func lines(_ state: String, width: Int) -> [String] {
        let sessions = progress.sessions
        measure(sessions)
        var lines = [output.styled(fit("worker · \(endpoints.source.place) → \(endpoints.target.place)", width), .bold)]
        let isBusy = sessions.contains { $0 != nil }
        let rate = "\(Painter.size(Int(bytesPerSecond)))/s"
        let time = Painter.duration(started.duration(to: .now) / .seconds(1))
        lines.append(fit([isBusy ? "copying" : state, rate, time].joined(separator: " · "), width))
        lines.append(fit(Self.summary(progress.total), width))
        for case let session? in sessions {
            let done = "\(Quantity.of(session.amount.rows, "row")), \(Painter.size(session.amount.bytes))"
            let text = session.title.kind == .index ? "builds \(session.title.text)" : "\(session.title.text)  \(done)"
            lines.append(fit("  \(text)", width))
        }
        return lines
    }

    /// What was done, in one line.
    static func summary(_ total: WorkProgress.Total) -> String {
        let tables = Quantity.of(total.tables, "table")
        let parts = total.parts > total.tables ? "\(Quantity.of(total.parts, "part")) of \(tables)" : tables
        let indexes = "\(Quantity.grouped(total.indexes)) \(total.indexes == 1 ? "index" : "indexes")"
        return "copied \(parts), \(Quantity.of(total.rows, "row")), \(Painter.size(total.bytes)); built \(indexes)"
    }

    private func fit(_ line: String, _ width: Int) -> String { Layout.cut(Layout.plain(line), to: width) }

    private mutating func measure(_ sessions: [WorkProgress.Current?]) {
        let bytes = progress.total.bytes + sessions.compactMap { $0?.amount.bytes }.reduce(0, +)
        if let last {
            let seconds = last.at.duration(to: .now) / .seconds(1)
            guard seconds > 0 else { return }
            // Smoothed over about two seconds; a piece that was taken away counts for nothing.
            bytesPerSecond += (max(0, Double(bytes - last.bytes)) / seconds - bytesPerSecond) * min(1, seconds / 2)
        }
        last = (.now, bytes)
    }
}
