import Catalog
import Cluster
import Engine
import Foundation
import Move
import Postgres

/// Fills an empty server with one database of another one, whose files nobody may copy: its roles without passwords, its
/// definitions and its rows at one moment.
struct LogicalClone {
    let source: CopySource
    /// The empty server.
    let server: ConnectionString
    let output: Output

    private var database: String { source.connection["dbname"] ?? "" }
    private var target: ConnectionString { server.with("dbname", database) }

    /// Fills it; nothing is made on the source.
    ///
    /// - Throws: what is in the way of a copy, or what the servers say.
    func run() async throws {
        let installation = try await Installation.client(atLeast: source.major)
        try await copyRoles(installation)
        try await makeDatabase()
        try await copy()
    }

    /// The copy of `martlet migrate --once`, and its `finish`.
    private func copy() async throws {
        let endpoints = Endpoints(source: source.connection, target: target)
        var checks = Preflight.Options()
        checks.isOnce = true
        let findings = try await Preflight.run(source: endpoints.source, target: endpoints.target, options: checks)
        guard findings.blockers.isEmpty else {
            throw PostgresError(
                "database \"\(database)\" cannot be copied",
                detail: findings.blockers.map(\.message).joined(separator: "\n"),
                hint: "martlet assess tells more."
            )
        }
        var options = MigrationOptions()
        options.isOnce = true
        options.jobs = findings.jobs?.count ?? options.jobs
        let directory = FileManager.default.temporaryDirectory.appending(path: "martlet-clone-\(UUID().uuidString)")
        // Only logs are left in it.
        defer { try? FileManager.default.removeItem(at: directory) }
        let monitor = Monitor(endpoints: endpoints, directory: directory)
        let migration = Migration(endpoints: endpoints, options: options, directory: directory, monitor: monitor)
        _ = try await LiveView(output: output).show(monitor) { try await migration.run() }
        let end = EndOfMove(kind: "finish", dropsCopy: false) { $0 == .copied }
        _ = try await end.end(endpoints, directory: directory, Asker(target: target, output: output))
    }

    /// Without passwords, which only superusers may read; a role that is there already is fine.
    private func copyRoles(_ installation: Installation) async throws {
        let (connection, secrets) = source.connection.forChildProcess
        let dump = try await Program(
            path: try installation.program("pg_dumpall"),
            arguments: ["--roles-only", "--no-role-passwords", "-d", connection],
            environment: installation.additionalEnvironment.merging(secrets) { $1 }
        ).run()
        guard dump.isSuccess else {
            throw PostgresError("could not read the roles of server \(source.title)", detail: dump.complaint)
        }
        let (place, own) = server.forChildProcess
        // What cannot be made here is told by the checks before the copy when something needs it.
        _ = try await Program(
            path: try installation.program("psql"),
            arguments: ["-X", "-q", "-d", place],
            environment: installation.additionalEnvironment.merging(own) { $1 }
        ).run(input: Self.withoutSuperuser(dump.output))
    }

    /// The new server has a superuser of this name, who must stay one.
    private static func withoutSuperuser(_ roles: String) -> String {
        roles.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { $0.firstMatch(of: /^(CREATE|ALTER) ROLE postgres\b/) == nil }.joined(separator: "\n")
    }

    /// With the encoding and the locale of its source, or with those of this machine where it does not know them.
    private func makeDatabase() async throws {
        let (encoding, collate, type) = try await withNeutralConnection(to: source.connection) { session in
            let row = try session.query(
                """
                SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS type
                  FROM pg_database WHERE datname = current_database()
                """
            ).first
            guard let row else { throw PostgresError("server \(source.title) does not know its own database") }
            return (
                try row("encoding", as: String.self), try row("collate", as: String.self),
                try row("type", as: String.self)
            )
        }
        // It may be called postgres, which every new server has.
        try await withNeutralConnection(to: server.with("dbname", "template1")) { session in
            try session.execute("DROP DATABASE IF EXISTS \(Identifier(database))")
            let create: SQL = "CREATE DATABASE \(Identifier(database)) TEMPLATE template0 ENCODING \(literal: encoding)"
            do {
                try session.execute("\(create) LC_COLLATE \(literal: collate) LC_CTYPE \(literal: type)")
            } catch let error as PostgresError {
                guard error.sqlState == "42809" else { throw error }
                output.talk(
                    prose:
                        "this machine does not know locale \(collate): rows may be sorted in another order than there"
                )
                try session.execute("\(create) LOCALE 'C.UTF-8'")
            }
        }
    }
}
