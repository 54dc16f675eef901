import Foundation
import Postgres

extension ServerBinaries {
    /// Finds the installation to use.
    ///
    /// Without a directory it looks at, in this order: `PATH`, `pg_config --bindir`,
    /// `/usr/lib/postgresql/*/bin` (highest version first), and the prefixes or bin directories named in
    /// `MARTLET_PG_DIRS`, which are separated by colons (highest version first).
    ///
    /// - Throws: a ``PostgresError`` that names the Debian package when there is none of this major version.
    public static func find(major: Int? = nil, directory: String? = nil) async throws -> ServerBinaries {
        if let directory {
            let binaries = try await ServerBinaries(at: directory)
            guard let major, binaries.major != major else { return binaries }
            throw PostgresError(
                "PostgreSQL in \"\(directory)\" is not version \(major)",
                detail: "It is version \(binaries.version)."
            )
        }
        let found = await installed()
        // A cancelled search finds nothing.
        try Task.checkCancellation()
        if let match = found.first(where: { major == nil || $0.major == major }) { return match }
        let majors = Set(found.map(\.major)).sorted().map(String.init).joined(separator: ", ")
        throw PostgresError(
            major.map { "could not find a PostgreSQL \($0) server" } ?? "could not find a PostgreSQL server",
            detail: found.isEmpty ? "No server installation was found." : "These versions were found: \(majors).",
            hint: "Install one with \"\(installation(of: major ?? 15))\", "
                + "or name the directory of an installation in MARTLET_PG_DIRS."
        )
    }

    /// Every installation that runs, in the order in which ``find(major:directory:)`` prefers them, each once.
    public static func installed() async -> [ServerBinaries] {
        var found: [ServerBinaries] = []
        for group in await searchPlaces() {
            var members: [ServerBinaries] = []
            for place in group {
                // A directory without a server in it, or with one that cannot run here, is not an installation.
                guard let binaries = try? await ServerBinaries(at: place) else { continue }
                members.append(binaries)
            }
            found += members.sorted { $0.major > $1.major }
        }
        var seen: Set<String> = []
        return found.filter { seen.insert($0.directory).inserted }
    }

    /// The directories to look into; within a group the highest version is best.
    private static func searchPlaces() async -> [[String]] {
        let variables = ProcessInfo.processInfo.environment
        func list(_ variable: String) -> [String] {
            variables[variable]?.split(separator: ":").map(String.init) ?? []
        }
        let path = list("PATH").filter { isExecutable($0 + "/postgres") }.map { directory in
            URL(filePath: directory + "/postgres").resolvingSymlinksInPath().deletingLastPathComponent()
                .path(percentEncoded: false)
        }
        var configured: [String] = []
        if let program = list("PATH").map({ $0 + "/pg_config" }).first(where: isExecutable) {
            // A pg_config that does not run is as good as none.
            let outcome = try? await Program(path: program, arguments: ["--bindir"]).run()
            configured = [outcome?.output.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""]
        }
        let debian = "/usr/lib/postgresql"
        // The directory is missing on every system but Debian and its kin.
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []
        let groups = path.map { [$0] } + [configured, versions.map { "\(debian)/\($0)/bin" }, list("MARTLET_PG_DIRS")]
        return groups.map { $0.filter { !$0.isEmpty } }
    }
}
