public import Foundation
public import Postgres

/// `pg_dump` and `pg_restore` of one installation.
public struct ClientPrograms: Sendable, Hashable {
    /// The folder they are in.
    public let directory: URL
    /// Their major version.
    public let majorVersion: Int

    /// The path of one of them.
    public func path(_ program: String) -> String { directory.appending(path: program).path }

    /// Finds the oldest installation that is at least as new as the source.
    ///
    /// pg_dump refuses a server that is newer than itself; one that is much newer writes SET
    /// commands that an older target does not know.
    ///
    /// Looks in the folders of `MARTLET_PG_DIRS` (separated by colons), of `PATH`, and where Debian,
    /// Red Hat and Homebrew put them.
    public static func find(
        atLeast majorVersion: Int,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(PostgresError) -> ClientPrograms {
        var all: [ClientPrograms] = []
        for candidate in candidates(environment) {
            guard let programs = read(candidate) else { continue }
            // None can fit better, and to ask the others costs a tenth of a second, most of it Debian's wrapper.
            if programs.majorVersion == majorVersion { return programs }
            all.append(programs)
        }
        let fitting = all.filter { $0.majorVersion >= majorVersion }.sorted { $0.majorVersion < $1.majorVersion }
        if let best = fitting.first { return best }
        let found = all.map { "\($0.majorVersion) in \($0.directory.path)" }
        throw PostgresError(
            "no pg_dump of version \(majorVersion) or later was found",
            detail: found.isEmpty ? "None was found at all." : "Found were: \(found.joined(separator: ", ")).",
            hint: "Install it: apt-get install postgresql-client-\(majorVersion); "
                + "or name its folder in MARTLET_PG_DIRS."
        )
    }

    private static func candidates(_ environment: [String: String]) -> [URL] {
        let given = (environment["MARTLET_PG_DIRS"] ?? "").split(separator: ":").map { URL(filePath: String($0)) }
        let path = (environment["PATH"] ?? "").split(separator: ":").map { URL(filePath: String($0)) }
        let roots = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"].map { URL(filePath: $0) }
        let versions = roots.flatMap { root in
            // A folder that is not there holds no installation.
            (try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)) ?? []
        }
        let redHat = (14...19).map { URL(filePath: "/usr/pgsql-\($0)") }
        return (given + versions + redHat).flatMap { [$0, $0.appending(path: "bin")] } + path
    }

    /// Reads the version that the program itself tells; Debian's wrapper in /usr/bin answers for the one it would start.
    private static func read(_ directory: URL) -> ClientPrograms? {
        let dump = directory.appending(path: "pg_dump").path
        guard FileManager.default.isExecutableFile(atPath: dump),
            FileManager.default.isExecutableFile(atPath: directory.appending(path: "pg_restore").path)
        else { return nil }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: dump)
        process.arguments = ["--version"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.environment = ChildEnvironment.make(for: directory)
        // A program that cannot be started is none that can be used.
        guard (try? process.run()) != nil else { return nil }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
        guard let number = text.split(separator: " ").dropFirst(2).first,
            let major = number.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
        else { return nil }
        return ClientPrograms(directory: directory, majorVersion: major)
    }
}

/// The environment of the programs we start.
enum ChildEnvironment {
    /// Ours, with the libraries that stand beside a program that was unpacked somewhere.
    static func make(for directory: URL, adding extra: [String: String] = [:]) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        let libraries = directory.deletingLastPathComponent().appending(path: "lib").path
        if FileManager.default.fileExists(atPath: libraries + "/libpq.so.5") {
            environment["LD_LIBRARY_PATH"] = [libraries, environment["LD_LIBRARY_PATH"]].compactMap(\.self)
                .joined(separator: ":")
        }
        environment["LC_ALL"] = "C"
        return environment.merging(extra) { _, new in new }
    }
}
