import Foundation
import Postgres

/// A small file system of its own (tmpfs), which can be filled to the last byte and emptied again.
public struct SmallDisk: Sendable {
    /// Where it is mounted.
    public let path: String

    /// Takes all the room that is left.
    public func fill() throws {
        var room = statvfs()
        guard statvfs(path, &room) == 0 else { throw Self.failure("could not look at", path) }
        let descriptor = open(path + "/ballast", O_WRONLY | O_CREAT, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // One that is full already cannot be filled further.
        let start = lseek(descriptor, 0, SEEK_END)
        _ = posix_fallocate(descriptor, start, off_t(room.f_bfree) * off_t(room.f_frsize))
        let page = [UInt8](repeating: 0, count: 4096)
        lseek(descriptor, 0, SEEK_END)
        while write(descriptor, page, page.count) > 0 {}
    }

    /// Gives the room back.
    public func free() {
        unlink(path + "/ballast")
    }

    static func failure(_ message: String, _ path: String) -> PostgresError {
        PostgresError("\(message) \"\(path)\"", detail: String(cString: strerror(errno)))
    }
}

/// Runs `body` with a file system of some MiB, or with nil where we may not mount one.
public func withSmallDisk<Result>(
    megabytes: Int,
    _ body: (SmallDisk?) async throws -> Result
) async throws -> Result {
    let path = "/tmp/martlet-disk-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(
        atPath: path,
        withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o755]
    )
    // What cannot be removed from /tmp does no harm.
    defer { rmdir(path) }
    guard mount("tmpfs", path, "tmpfs", UInt(MS_NOSUID | MS_NODEV), "size=\(megabytes)m,mode=755") == 0
    else {
        return try await body(nil)
    }
    // A file that somebody still holds open does not keep it from going.
    defer { umount2(path, Int32(MNT_DETACH)) }
    return try await body(SmallDisk(path: path))
}
