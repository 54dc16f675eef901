import Cluster
import Foundation
import Postgres
import Synchronization

/// The rows that a table does not take: line, SQLSTATE and reason before each, so that they can be mended and loaded again.
final class RejectedFile: Sendable {
    let path: String
    private let state = Mutex<(file: FileHandle?, count: Int)>((nil, 0))

    /// A file that is made with its first row.
    init(path: String) {
        self.path = path
    }

    /// How many rows are in it.
    var count: Int { state.withLock(\.count) }

    /// Removes it, when a row has made it.
    func remove() throws {
        try state.withLock { state in
            guard let file = state.file else { return }
            try file.close()
            try FileManager.default.removeItem(atPath: path)
            state = (nil, 0)
        }
    }

    /// Adds a row.
    ///
    /// - Throws: when it cannot be written.
    func add(_ row: CSVLoad.Rejected) throws {
        try state.withLock { state in
            if state.file == nil {
                guard FileManager.default.createFile(atPath: path, contents: nil),
                    let file = FileHandle(forWritingAtPath: path)
                else {
                    throw PostgresError(
                        "could not write the file \"\(path)\"",
                        detail:
                            "Rows that are refused belong there. The system said: \(String(cString: strerror(errno))).",
                        hint: "--rejected names another one."
                    )
                }
                state.file = file
            }
            let reason = row.error.message.prefixing(["\""], with: "\"").replacing("\n", with: " ")
            var line = Data("\(row.line),\(row.error.sqlState ?? ""),\"\(reason)\",".utf8)
            line.append(contentsOf: row.bytes)
            line.append(UInt8(ascii: "\n"))
            try state.file?.write(contentsOf: line)
            state.count += 1
        }
    }
}
