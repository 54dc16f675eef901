import Foundation

/// Makes a directory that every account may enter, and removes it after `body`.
public func withTemporaryDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let path = "/tmp/martlet-test-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(
        atPath: path,
        withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o755]
    )
    // What cannot be removed from /tmp does no harm, and must not hide the failure of the test.
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
