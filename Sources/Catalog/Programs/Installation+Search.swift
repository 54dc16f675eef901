import Foundation
import Postgres

extension Installation {
    /// Every installation that holds a program and runs, the best first, each once.
    ///
    /// Looks at, in this order: `PATH`, `pg_config --bindir`, the places where Debian, Red Hat and
    /// Homebrew put versions side by side (highest version first), and the prefixes or `bin`
    /// directories named in `MARTLET_PG_DIRS`, which are separated by colons (highest version first).
    public static func all(holding program: String) async -> [Installation] {
        var found: [Installation] = []
        for group in await places() {
            var members: [Installation] = []
            for place in group {
                // A directory without the program, or with one that cannot run here, is not an installation.
                guard let one = try? await Installation(at: place, holding: program) else { continue }
                members.append(one)
            }
            found += members.sorted { $0.major > $1.major }
        }
        var seen: Set<String> = []
        return found.filter { seen.insert($0.directory).inserted }
    }

    /// Finds the oldest `pg_dump` that is at least as new as the source.
    ///
    /// pg_dump refuses a server that is newer than itself; one that is much newer writes SET
    /// commands that an older target does not know.
    ///
    /// - Throws: a ``PostgresError`` that names the Debian package when there is none.
    public static func client(atLeast major: Int) async throws -> Installation {
        let all = await all(holding: "pg_dump")
        // A cancelled search finds nothing.
        try Task.checkCancellation()
        if let best = all.filter({ $0.major >= major }).min(by: { $0.major < $1.major }) { return best }
        let found = all.map { "\($0.major) in \($0.directory)" }
        throw PostgresError(
            "no pg_dump of version \(major) or later was found",
            detail: found.isEmpty ? "None was found at all." : "Found were: \(found.joined(separator: ", ")).",
            hint: "Install it: apt-get install postgresql-client-\(major); or name its folder in MARTLET_PG_DIRS."
        )
    }

    /// The directories to look into; within a group the highest version is best.
    private static func places() async -> [[String]] {
        let environment = ProcessInfo.processInfo.environment
        func list(_ variable: String) -> [String] {
            environment[variable]?.split(separator: ":").map(String.init) ?? []
        }
        var configured: [String] = []
        if let program = list("PATH").map({ $0 + "/pg_config" }).first(where: isExecutable) {
            // A pg_config that does not run is as good as none.
            let outcome = try? await Program(path: program, arguments: ["--bindir"]).run()
            configured = [outcome?.output.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""]
        }
        let versions = [
            "/usr/lib/postgresql/", "/usr/pgsql-", "/opt/homebrew/opt/postgresql@", "/usr/local/opt/postgresql@",
        ]
        .flatMap { place in (14...20).map { place + String($0) } }
        let groups = list("PATH").map { [$0] } + [configured, versions, list("MARTLET_PG_DIRS")]
        return groups.map { $0.filter { !$0.isEmpty } }
    }
}
