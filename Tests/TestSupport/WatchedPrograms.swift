public import Catalog
import Foundation

/// Stands in front of `pg_dump` and `pg_restore`, and notes what each call is given before it runs the real one.
public struct WatchedPrograms: Sendable {
    private let directory: String

    /// Makes them in a new folder below `directory`, in front of an installation.
    public init(in directory: String, before programs: Installation) throws {
        self.directory = directory + "/watched"
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
        for name in ["pg_dump", "pg_restore"] {
            let path = self.directory + "/" + name
            let script = """
                #!/bin/sh
                { printf '%s\\0' "$0" "$@"; printf '\\n'; } >>'\(self.directory)/arguments'
                env -0 >>'\(self.directory)/environment'
                exec '\(try programs.program(name))' "$@"
                """
            try Data(script.utf8).write(to: URL(filePath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
    }

    /// What makes martlet find these.
    public var path: String { directory + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "") }

    /// All command lines so far, their arguments separated by zero bytes.
    public var arguments: String { text("arguments") }

    /// The environments of all calls so far.
    public var environment: String { text("environment") }

    private func text(_ name: String) -> String {
        // Nothing was called yet.
        String(decoding: FileManager.default.contents(atPath: directory + "/" + name) ?? Data(), as: UTF8.self)
    }
}
