public import Foundation
public import Postgres

/// A file that no other account can read: definitions hold passwords of user mappings, and logs hold values of rows.
public enum PrivateFile {
    /// Writes a file whole or not at all, with mode 0600 whatever the umask is; one that is there is replaced.
    ///
    /// - Throws: a ``PostgresError`` with the system's reason.
    public static func write(_ data: Data, to url: URL) throws(PostgresError) {
        let draft = url.appendingPathExtension("draft")
        // What an interrupted run left may have another mode.
        unlink(draft.path)
        let descriptor = open(draft.path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw failure(url, errno) }
        do {
            let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
            defer { close(descriptor) }
            try file.write(contentsOf: data)
        } catch {
            unlink(draft.path)
            throw PostgresError("could not write file \"\(url.path)\"", detail: error.localizedDescription, hint: hint)
        }
        guard rename(draft.path, url.path) == 0 else { throw failure(url, errno) }
    }

    /// Adds to the end of a file, and makes one with mode 0600 that is not there.
    ///
    /// - Throws: a ``PostgresError`` with the system's reason.
    public static func append(_ data: Data, to url: URL) throws(PostgresError) {
        let descriptor = open(url.path, O_WRONLY | O_APPEND | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw failure(url, errno) }
        defer { close(descriptor) }
        do {
            try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).write(contentsOf: data)
        } catch {
            throw PostgresError("could not write file \"\(url.path)\"", detail: error.localizedDescription, hint: hint)
        }
    }

    private static let hint = "Check the rights and the free space of the directory."

    private static func failure(_ url: URL, _ code: Int32) -> PostgresError {
        PostgresError(
            "could not write file \"\(url.path)\"",
            detail: "The system said: \(String(cString: strerror(code))).",
            hint: hint
        )
    }
}
