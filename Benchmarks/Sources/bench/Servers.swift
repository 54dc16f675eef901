import Catalog
import Cluster
import Foundation
import Postgres

/// The two servers of a run and what every discipline does with them.
struct Servers: Sendable {
    let source: Server
    let target: Server

    /// A folder for dumps and spools.
    let scratch: String

    /// fsync and full_page_writes stay on, as on a server in use.
    static let settings = [
        "shared_buffers": "1GB", "max_wal_size": "8GB", "min_wal_size": "2GB", "checkpoint_timeout": "30min",
        "wal_level": "logical", "maintenance_work_mem": "512MB", "max_parallel_maintenance_workers": "2",
        "work_mem": "32MB", "effective_cache_size": "4GB", "random_page_cost": "1.1",
    ]

    var version: String { source.binaries.version }

    /// The path of a PostgreSQL client.
    func program(_ name: String) throws -> String { try source.binaries.program(name) }

    /// The connection string of a database, with the password, as libpq's programs take it.
    func address(_ database: String, on server: Server) -> String {
        let password = server.connection()["password"] ?? ""
        return "postgresql://postgres:\(password)@127.0.0.1:\(server.port ?? 0)/\(database)"
    }

    /// Makes the database that everything is copied from.
    func makeSeed(scale: Int) async throws {
        tell("making the database: pgbench -i -s \(scale)")
        try await create("seed", on: source)
        try await shell(#"pgbench -i -q -s \#(scale) "$SOURCE""#, source: "seed", target: "postgres")
        try await settle()
    }

    /// Makes an empty database, or a copy of one, in place of what has the name.
    func create(_ database: String, on server: Server, template: String = "template0") async throws {
        try await drop(database, on: server)
        let copies: SQL = server.binaries.major >= 15 ? " STRATEGY file_copy" : ""
        try await withConnection(to: server.connection()) { connection in
            try connection.execute("CREATE DATABASE \(Identifier(database)) TEMPLATE \(Identifier(template))\(copies)")
        }
    }

    func drop(_ database: String, on server: Server) async throws {
        try await withConnection(to: server.connection()) { connection in
            try connection.execute("DROP DATABASE IF EXISTS \(Identifier(database)) WITH (FORCE)")
        }
    }

    /// Writes everything out, so that no contender pays for what came before it.
    func settle() async throws {
        for server in [source, target] {
            try await withConnection(to: server.connection()) { try $0.execute("CHECKPOINT") }
        }
        sync()
    }

    /// Number of rows and sum of the rows' hashes of every pgbench table, which are equal only when the rows are.
    func fingerprint(_ database: String, on server: Server) async throws -> [String] {
        try await withConnection(to: server.connection(to: database)) { connection in
            try ["accounts", "branches", "tellers", "history"].map { name in
                let rows = try connection.query(
                    """
                    SELECT count(*) AS rows, coalesce(sum(hash_record_extended(t, 0)), 0)::text AS hash
                      FROM public.\(Identifier("pgbench_" + name)) AS t
                    """
                )
                guard let row = rows.first else { throw Failure("a count gave no row") }
                return try "\(name) \(row("rows", as: Int.self)) \(row("hash", as: String.self))"
            }
        }
    }

    /// The environment of a command: `$SOURCE`, `$TARGET`, `$SCRATCH`, and PostgreSQL's programs on the path.
    func environment(source: String, target: String) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment.merge(self.source.binaries.additionalEnvironment) { $1 }
        environment["SOURCE"] = address(source, on: self.source)
        environment["TARGET"] = address(target, on: self.target)
        environment["SCRATCH"] = scratch
        environment["PATH"] = self.source.binaries.directory + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
        return environment
    }

    /// Runs a shell command that is not measured, and throws what it said when it fails.
    func shell(_ command: String, source: String, target: String) async throws {
        let program = try Spawned(command, environment: environment(source: source, target: target))
        guard try await program.wait() == 0 else { throw Failure("\(command) failed: \(program.output)") }
    }
}
