import Foundation
import Subprocess
import SystemPackage

/// A shell in a folder of its own, in which `martlet` is the program that was built.
public struct TestShell: Sendable {
    private let folder: String
    private let state: String

    /// A shell whose sandboxes are kept in `state`.
    public init(folder: String, state: String) {
        (self.folder, self.state) = (folder, state)
    }

    /// Writes a file, and the folders that it is in.
    public func write(_ text: String, to name: String) throws {
        let url = URL(filePath: folder + "/" + name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    /// Runs a line, and returns what it printed, stdout and stderr as they came, without the line end.
    public func run(_ line: String) async throws -> String {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let bin = URL(filePath: MartletProgram.path).deletingLastPathComponent().path(percentEncoded: false)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let result = try await Subprocess.run(
            .path("/bin/sh"),
            arguments: ["-c", "exec 2>&1; " + line],
            environment: .inherit.updating([
                "PATH": "\(bin):\(path)", "MARTLET_STATE_DIR": .some(state), "NO_COLOR": "1", "MARTLET_CONFIG": nil,
            ]),
            workingDirectory: FilePath(folder),
            input: .none,
            output: .string(limit: 1 << 20),
            error: .discarded
        )
        return result.standardOutput.trimmingCharacters(in: .newlines)
    }

    /// Stops and removes all sandboxes that are left.
    public func removeSandboxes() async {
        // A sandbox that cannot be removed is the failure of another test.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: state + "/sandboxes")) ?? []
        for name in names where !name.hasPrefix(".") {
            _ = try? await run("martlet sandbox remove \(name) --source-is-gone")
        }
    }

    /// What psql prints of statements on a sandbox.
    public func ask(_ statements: String, in sandbox: String) async throws -> String {
        let file = "ask-\(UInt32.random(in: 0 ... .max)).sql"
        try write(statements, to: file)
        return try await run(
            "psql -X -A -t -q -v ON_ERROR_STOP=1 -d \"$(martlet sandbox start \(sandbox) 2>/dev/null)\" -f \(file)"
        )
    }
}

/// Runs `body` with a shell in a folder of its own; its sandboxes and its files are gone afterwards.
public func withTestShell(_ body: (TestShell) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
        let shell = TestShell(folder: directory + "/app", state: directory + "/state")
        do {
            try await body(shell)
        } catch {
            await shell.removeSandboxes()
            throw error
        }
        await shell.removeSandboxes()
    }
}
