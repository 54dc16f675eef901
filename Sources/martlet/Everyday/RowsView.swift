import Foundation
import Sync
import Synchronization

/// How far rows on their way into a table are, for a line that is drawn again and again.
final class RowsView: Sendable {
    private struct State {
        var title = ""
        var rows = 0
        /// How much is done of how much; the whole is 0 when nobody knows it.
        var done = 0
        var whole = 0
        var note = ""
        var began = ContinuousClock.now
    }

    private let state = Mutex(State())

    /// Begins with a table.
    func begin(_ title: String, whole: Int) {
        state.withLock { $0 = State(title: title, whole: whole) }
    }

    /// Notes how many rows there are, and how much is done of the whole.
    func note(rows: Int, done: Int, _ note: String = "") {
        state.withLock { ($0.rows, $0.done, $0.note) = (rows, done, note) }
    }

    /// For how long the present table is on its way, in seconds.
    var seconds: Double { state.withLock(\.began).duration(to: .now) / .seconds(1) }

    /// One line for a terminal.
    ///
    ///     orders  ████░░░░  412,000 rows, 41 %, 380,000 rows/s, 2 s left
    var line: String {
        let state = state.withLock { $0 }
        let seconds = state.began.duration(to: .now) / .seconds(1)
        let perSecond = seconds > 0 ? Double(state.rows) / seconds : 0
        var parts = ["\(Quantity.grouped(state.rows)) rows"]
        var bar = ""
        if state.whole > 0 {
            let share = min(1, Double(state.done) / Double(state.whole))
            bar = Painter.bar(share) + "  "
            parts.append("\(Int(share * 100)) %")
            if share > 0.01 { parts.append("\(Painter.duration(seconds / share - seconds)) left") }
        }
        parts.append("\(Quantity.grouped(Int(perSecond))) rows/s")
        return state.title + "  " + bar + (parts + [state.note].filter { !$0.isEmpty }).joined(separator: ", ")
    }
}
