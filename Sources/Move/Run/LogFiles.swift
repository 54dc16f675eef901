import Catalog
import Engine
import Foundation
import Postgres
import Sync
import Synchronization

/// The files that stay after a move: `DATABASE_DATE.log` with what happened, `DATABASE_DATE.tables` with a line per table.
final class LogFiles: Sendable {
    private let logFile: URL
    private let tablesFile: URL
    private let lock = Mutex(())

    init(database: String, directory: URL, started: Date) {
        let safe = String(database.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" })
        let day = started.formatted(.iso8601.year().month().day())
        logFile = directory.appending(path: "\(safe)_\(day).log")
        tablesFile = directory.appending(path: "\(safe)_\(day).tables")
    }

    /// Adds an entry with the time, its further lines indented.
    ///
    /// A log that cannot be written does not stop a move.
    func write(_ text: String) {
        let line = Date().formatted(.iso8601) + "  " + text.replacing("\n", with: "\n    ") + "\n"
        lock.withLock { _ in try? PrivateFile.append(Data(line.utf8), to: logFile) }
    }

    /// Replaces the table file: tab-separated, with a heading.
    func write(tables: [StatusReport.Table]) {
        let rows = tables.map { table in
            [
                table.qualifiedName.description,
                table.load.state.rawValue,
                table.load.started?.formatted(.iso8601) ?? "-",
                table.load.finished?.formatted(.iso8601) ?? "-",
                Self.seconds(table.load.started, table.load.finished),
                String(table.load.rows),
                String(table.load.bytes),
            ].joined(separator: "\t")
        }
        let heading = "table\tstate\tstart\tend\tseconds\trows\tbytes"
        let text = ([heading] + rows).joined(separator: "\n") + "\n"
        lock.withLock { _ in try? PrivateFile.write(Data(text.utf8), to: tablesFile) }
    }

    private static func seconds(_ start: Date?, _ end: Date?) -> String {
        guard let start, let end else { return "-" }
        return String(format: "%.1f", end.timeIntervalSince(start))
    }
}
