import Foundation
import Synchronization

/// A block of lines at the bottom of the terminal that can be drawn again.
///
/// What else is said meanwhile goes through ``interject(_:)``, so that it stands above the block. The terminal's size is
/// asked for at each drawing: a window that was made narrower has broken the lines of the last one.
final class Screen: Sendable {
    /// The lines that stand on the terminal.
    private let shown = Mutex<[String]>([])

    /// The terminal's size.
    struct Size: Sendable, Hashable {
        var columns: Int
        var rows: Int

        /// The size of the terminal behind a file; nil when it is none.
        static func of(_ file: Int32) -> Size? {
            var size = winsize()
            guard isatty(file) == 1 else { return nil }
            guard ioctl(file, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return Size(columns: 80, rows: 24) }
            return Size(columns: Int(size.ws_col), rows: max(2, Int(size.ws_row)))
        }
    }

    /// How long a line may be: a terminal may break one that fills its last column.
    var width: Int { max(1, (Size.of(STDERR_FILENO)?.columns ?? 80) - 1) }

    /// Draws lines over those that were drawn before, cut to the terminal.
    func draw(_ lines: [String]) {
        shown.withLock { shown in
            let size = Size.of(STDERR_FILENO) ?? Size(columns: 80, rows: 24)
            let fitted = Layout.fit(lines, columns: size.columns - 1, rows: size.rows - 1)
            Self.write(Self.redraw(fitted, over: shown, on: size))
            shown = fitted
        }
    }

    /// Writes whole lines, above the block when there is one.
    func interject(_ text: String) {
        shown.withLock { shown in
            guard !shown.isEmpty, let size = Size.of(STDERR_FILENO) else { return Self.write(text) }
            Self.write(Self.erase(shown, on: size) + text + shown.map { $0 + "\n" }.joined())
        }
    }

    /// Leaves the block where it is, so that what comes stands below, or with `erases` takes it away.
    func end(erases: Bool = false) {
        shown.withLock { shown in
            if erases, let size = Size.of(STDERR_FILENO) { Self.write(Self.erase(shown, on: size)) }
            shown = []
        }
    }

    /// What a terminal must get so that `lines` stand where `last` stood.
    static func redraw(_ lines: [String], over last: [String], on size: Size) -> String {
        up(last, on: size) + lines.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J"
    }

    private static func erase(_ lines: [String], on size: Size) -> String {
        up(lines, on: size) + "\u{1b}[J"
    }

    /// To the beginning of the block; what has left the screen at its top is out of reach.
    private static func up(_ lines: [String], on size: Size) -> String {
        let rows = min(Layout.rows(of: lines, columns: size.columns), size.rows - 1)
        return rows > 0 ? "\r\u{1b}[\(rows)A" : "\r"
    }

    private static func write(_ text: String) {
        // A terminal that has gone away ends us by SIGPIPE or SIGHUP.
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
