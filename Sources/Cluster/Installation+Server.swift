public import Catalog
import Foundation
import Postgres

extension Installation {
    /// The installation whose server to run: of this version, in this directory, or the best that there is.
    ///
    /// Without a directory it looks where ``Installation/all(holding:)`` does.
    ///
    /// - Throws: a ``PostgresError`` that names the Debian package when there is none of this major version.
    public static func server(major: Int? = nil, directory: String? = nil) async throws -> Installation {
        if let directory {
            let one = try await Installation(at: directory, holding: "postgres")
            try one.checkServer()
            guard let major, one.major != major else { return one }
            throw PostgresError(
                "PostgreSQL in \"\(directory)\" is not version \(major)",
                detail: "It is version \(one.version)."
            )
        }
        let found = await servers()
        // A cancelled search finds nothing.
        try Task.checkCancellation()
        if let match = found.first(where: { major == nil || $0.major == major }) { return match }
        let majors = Set(found.map(\.major)).sorted().map(String.init).joined(separator: ", ")
        throw PostgresError(
            major.map { "could not find a PostgreSQL \($0) server" } ?? "could not find a PostgreSQL server",
            detail: found.isEmpty ? "No server installation was found." : "These versions were found: \(majors).",
            hint: "Install one with \"apt-get install \(major.map { "postgresql-\($0)" } ?? "postgresql")\", "
                + "or name the directory of an installation in MARTLET_PG_DIRS."
        )
    }

    /// The oldest installation whose server we can run that is of this major version or a newer one.
    ///
    /// - Throws: a ``PostgresError`` that names the Debian package when there is none.
    public static func server(atLeast major: Int) async throws -> Installation {
        let able = await servers().filter { $0.major >= major }
        try Task.checkCancellation()
        if let oldest = able.min(by: { $0.major < $1.major }) { return oldest }
        return try await server(major: major)
    }

    /// Every installation whose server we can run, the best first.
    public static func servers() async -> [Installation] {
        await all(holding: "postgres").filter { one in
            // One that lacks a program, or that our account for servers cannot reach, is none that we can run.
            (try? one.checkServer()) != nil
        }
    }

    private func checkServer() throws(PostgresError) {
        for name in ["initdb", "pg_ctl"] { _ = try program(name) }
        guard let user = ServerUser.needed, !user.canReach(directory) else { return }
        throw PostgresError(
            "cannot run the server in \"\(directory)\"",
            detail: "We are root, so servers run as user \"\(user.name)\", who may not enter this directory.",
            hint: "Move the installation to a directory that everyone may enter, such as \"/opt\"."
        )
    }

    /// ``additionalEnvironment``, and without the variables that would steer a server of ours, or a client that it starts.
    var serverEnvironment: [String: String?] {
        let names = ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("PG") } + ["LANGUAGE"]
        let removed = names.map { ($0, String?.none) }
        return Dictionary(uniqueKeysWithValues: removed).merging(additionalEnvironment) { $1 }
    }
}
