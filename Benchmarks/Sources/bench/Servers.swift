import Catalog
import Cluster
import Foundation
import Postgres

/// The two servers of a run and what every discipline does with them.
struct Servers: Sendable {
    let source: Server
    let target: Server
    let options: Options

    /// fsync and full_page_writes stay on, as on a server in use.
    static let settings = [
        "shared_buffers": "1GB", "max_wal_size": "8GB", "min_wal_size": "2GB", "checkpoint_timeout": "30min",
        "wal_level": "logical", "maintenance_work_mem": "512MB", "max_parallel_maintenance_workers": "2",
        "work_mem": "32MB", "effective_cache_size": "4GB", "random_page_cost": "1.1",
    ]

    var version: String { source.binaries.version }

    /// Whether the installation has pglogical, which is asked as a peer only where followers race.
    var hasPglogical: Bool {
        FileManager.default.fileExists(atPath: source.binaries.directory + "/../lib/pglogical.so")
    }

    /// Starts both servers again with a library, or without any.
    func preload(_ library: String) async throws {
        for server in [source, target] {
            try await server.set(["shared_preload_libraries": library])
            try await server.restart()
        }
    }

    /// A folder for dumps and spools.
    private var scratch: String { options.scratch + "/files" }

    func clearScratch() async throws {
        try await shell(#"rm -rf "$SCRATCH" && mkdir -p "$SCRATCH""#, source: "postgres", target: "postgres")
    }

    /// The connection string of a database, with the password, as libpq's programs take it.
    func address(_ database: String, on server: Server) -> String {
        let password = server.connection()["password"] ?? ""
        return "postgresql://postgres:\(password)@127.0.0.1:\(server.port ?? 0)/\(database)"
    }

    // MARK: Databases

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

    func bytes(of database: String, on server: Server) async throws -> Int {
        try await withConnection(to: server.connection()) { connection in
            try connection.query("SELECT pg_database_size($1) AS bytes", database).first?("bytes") ?? 0
        }
    }

    /// For every table and for the large objects, the number of rows and the sum of the rows' hashes, which are equal only
    /// when the rows are; and how many indexes and constraints there are.
    func fingerprint(_ database: String, on server: Server) async throws -> [String] {
        try await withConnection(to: server.connection(to: database)) { connection in
            try connection.execute("SET max_parallel_workers_per_gather = 2")
            let tables = try connection.query(Self.comparable)
            var found = try tables.map { row in
                let name: String = try row("name")
                let hash: String = try row("hash")
                let sums = try connection.query(
                    """
                    SELECT concat_ws(' ', count(*), sum(\(SQL(trusting: hash)))) AS sums
                      FROM \(SQL(trusting: name)) AS t
                    """
                ).first
                return try "\(name) \(sums?("sums", as: String.self) ?? "")"
            }
            let rest = try connection.query(
                """
                WITH ours AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                               WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet', 'pglogical'))
                SELECT concat_ws(' ', 'objects, indexes, constraints', (SELECT count(*) FROM pg_largeobject_metadata),
                           (SELECT sum(hash_record_extended(l, 0)) FROM pg_largeobject l),
                           (SELECT count(*) FROM pg_index JOIN ours ON oid = indrelid WHERE indisvalid),
                           (SELECT count(*) FROM pg_constraint JOIN ours ON ours.oid = conrelid)) AS rest
                """
            ).first
            found.append(try rest?("rest") ?? "")
            return found
        }
    }

    /// The tables, and an expression for each that hashes a row of it.
    ///
    /// As text go values whose type has no hash, and those of enums, whose hash is not the same in two databases.
    private static let comparable: SQL = """
        SELECT format('%I.%I', n.nspname, c.relname) AS name,
               format('hash_record_extended(ROW(%s), 0)', string_agg(format(
                   CASE WHEN t.typtype = 'e' OR t.typname IN ('bit', 'varbit', 'json') THEN 't.%I::text' ELSE 't.%I' END,
                   a.attname), ', ' ORDER BY a.attnum)) AS hash
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          JOIN pg_type t ON t.oid = a.atttypid
         WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet', 'pglogical')
         GROUP BY n.nspname, c.relname ORDER BY 1
        """

    // MARK: Commands

    /// The environment of a command: `$SOURCE`, `$TARGET`, `$SCRATCH`, and PostgreSQL's programs and martlet on the path.
    func environment(source: String, target: String) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment.merge(self.source.binaries.additionalEnvironment) { $1 }
        environment["SOURCE"] = address(source, on: self.source)
        environment["TARGET"] = address(target, on: self.target)
        environment["SCRATCH"] = scratch
        let martlet = URL(filePath: options.martlet).deletingLastPathComponent().path
        let path = environment["PATH"] ?? "/usr/bin:/bin"
        environment["PATH"] = "\(martlet):\(self.source.binaries.directory):\(path)"
        return environment
    }

    /// Whether a program is installed; warns when it is not.
    func has(_ program: String) async throws -> Bool {
        let environment = environment(source: "postgres", target: "postgres")
        let isThere = try await Spawned("command -v \(program)", environment: environment).wait() == 0
        if !isThere { tell("WARNING: \(program) is not installed and is left out; apt-get install \(program)") }
        return isThere
    }

    /// Runs a shell command that is not measured, and throws what it said when it fails.
    func shell(_ command: String, source: String, target: String) async throws {
        let program = try Spawned(command, environment: environment(source: source, target: target))
        guard try await program.wait() == 0 else { throw Failure("\(command) failed: \(program.output)") }
    }

    /// Measures a command from its start to its end, with more environment `variables`; `check` looks at what it has done.
    func measure(
        _ contender: Contender,
        source: String,
        target: String,
        _ variables: [String: String] = [:],
        _ check: () async throws -> Void
    ) async throws -> Measurement {
        let before = try await ServerClock(self)
        let children = processorSecondsOfChildren()
        let start = ContinuousClock.now
        let environment = environment(source: source, target: target).merging(variables) { $1 }
        let command = try Spawned(contender.command, environment: environment)
        let status = try await command.wait()
        let wall = (ContinuousClock.now - start).seconds
        let client = processorSecondsOfChildren() - children
        let after = try await ServerClock(self)
        guard status == 0 else { throw Failure("\(contender.name) ended with \(status): \(command.output)") }
        do {
            try await check()
        } catch {
            throw Failure("\(error)\n\(command.output)")
        }
        return Measurement(
            wall: wall,
            client: client,
            source: after.source - before.source,
            target: after.target - before.target,
            memory: command.peakMemory,
            log: after.written(since: before)
        )
    }
}
