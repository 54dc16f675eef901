import Foundation
import Postgres

/// The folder of log files, and of a folder for each move's spools and definitions; made before a move touches a server.
struct WorkDirectory {
    let url: URL
    /// The folders that were not there before, the outermost first.
    private var made: [String] = []

    /// Makes the folder with those around it, where they are not there yet.
    ///
    /// - Throws: a ``PostgresError`` when it cannot be made, is no folder, or cannot be written to.
    init(at url: URL) throws(PostgresError) {
        self.url = url
        var missing: [String] = []
        var folder = url.standardizedFileURL
        while !FileManager.default.fileExists(atPath: folder.path), folder.path != "/" {
            missing.append(folder.path)
            folder = folder.deletingLastPathComponent()
        }
        for path in missing.reversed() {
            // Definitions and rows are in it, so it is ours alone; the folders around it are as others are.
            if mkdir(path, path == missing.first ? 0o700 : 0o777) == 0 {
                made.append(path)
                continue
            }
            // Somebody else may make it at the same time.
            let code = errno
            guard code == EEXIST else {
                removeIfEmpty()
                throw Self.failure("could not make the work directory \"\(url.path)\"", at: path, code)
            }
        }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw Self.failure("cannot use \"\(url.path)\" as the work directory", at: url.path, ENOTDIR)
        }
        guard access(url.path, W_OK | X_OK) == 0 else {
            throw Self.failure("cannot write to the work directory \"\(url.path)\"", at: url.path, errno)
        }
    }

    /// Removes what was made, as far as nothing is in it: a move that did not begin leaves nothing.
    func removeIfEmpty() {
        // rmdir(2) refuses a folder that holds something.
        for path in made.reversed() where rmdir(path) != 0 { return }
    }

    private static func failure(_ message: String, at path: String, _ code: Int32) -> PostgresError {
        PostgresError(
            message,
            detail: "\(path): \(String(cString: strerror(code))).",
            hint: "Name a folder that can be written to with --work-dir; the spool needs room there."
        )
    }
}
