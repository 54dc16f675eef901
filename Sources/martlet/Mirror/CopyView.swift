import Foundation
import Sync
import Synchronization

/// How far the copy of a server is, for a line that is drawn again and again.
final class CopyView: Sendable {
    private struct State {
        var done = 0
        var whole: Int?
    }

    private let title: String
    private let began = ContinuousClock.now
    private let state = Mutex(State())

    init(_ title: String) {
        self.title = title
    }

    /// Notes how many bytes were copied of how many.
    func note(_ done: Int, _ whole: Int?) { state.withLock { ($0.done, $0.whole) = (done, whole) } }

    /// For how long it takes already, in seconds.
    var seconds: Double { began.duration(to: .now) / .seconds(1) }

    /// One line for a terminal.
    ///
    ///     shop → rehearsal  ████░░░░  1.2 GB of 3.4 GB, 210 MB/s, 10 s left
    var line: String {
        let (state, seconds) = (state.withLock { $0 }, seconds)
        guard state.done > 0 else { return "\(title)  \(Painter.duration(seconds))" }
        let rate = "\(Painter.size(Int(Double(state.done) / max(seconds, 0.001))))/s"
        guard let whole = state.whole, whole > 0 else { return "\(title)  \(Painter.size(state.done)), \(rate)" }
        let share = min(1, Double(state.done) / Double(whole))
        let left = share > 0.01 ? ", \(Painter.duration(seconds / share - seconds)) left" : ""
        return "\(title)  \(Painter.bar(share))  \(Painter.size(state.done)) of \(Painter.size(whole)), \(rate)\(left)"
    }
}
