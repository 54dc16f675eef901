import Catalog
import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// A move through TCP between two servers that ask for passwords which nobody could confuse with anything else.
struct SecretMove {
    let source: Server
    let target: Server
    /// With the password, as the operator knows it.
    let secretSource: ConnectionString
    let secretTarget: ConnectionString
    let directory: String
    let watched: WatchedPrograms
    /// Parts of the passwords that stay the same in whatever way they are quoted or encoded.
    let tokens: [String]

    static let role: Identifier = "app"

    /// A password with all that gets quoted somewhere, and the parts of it that are searched for.
    private static func password() -> (text: String, tokens: [String]) {
        let tokens = (0..<2).map { _ in "Xq" + String(UInt64.random(in: 1 << 60 ... .max), radix: 36) }
        return (tokens[0] + #"'" %\@:/?#&=+;$$é%41"# + tokens[1], tokens)
    }

    /// Without passwords: what a test uses that knows other ways in.
    var adminSource: ConnectionString { source.socketConnection(to: "shop") }
    var adminTarget: ConnectionString { target.socketConnection(to: "shop") }

    /// Runs `body` between two servers that write every statement into their logs.
    static func with(_ body: (SecretMove) async throws -> Void) async throws {
        let settings = ServerConfiguration(
            tcp: .anyPort,
            settings: [
                "log_statement": "all", "log_replication_commands": "on", "log_connections": "on",
                "log_min_messages": "debug1", "log_error_verbosity": "verbose",
            ]
        )
        try await withServer(settings) { source in
            try await withServer(settings) { target in
                try await withTemporaryDirectory { directory in
                    let (old, new) = (password(), password())
                    try await prepare(source, old.text)
                    try await prepare(target, new.text)
                    try await execute(
                        source.socketConnection(to: "shop"),
                        "CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('x')"
                    )
                    func place(_ server: Server, _ password: String) -> ConnectionString {
                        server.connection(to: "shop").with("user", role.name).with("password", password)
                    }
                    try await body(
                        SecretMove(
                            source: source,
                            target: target,
                            secretSource: place(source, old.text),
                            secretTarget: place(target, new.text),
                            directory: directory,
                            watched: WatchedPrograms(in: directory, before: source.binaries),
                            tokens: old.tokens + new.tokens
                        )
                    )
                }
            }
        }
    }

    /// The test's own statement with the password is the one that must not be in the log.
    private static func prepare(_ server: Server, _ password: String) async throws {
        try await withConnection(to: server.socketConnection()) { admin in
            try admin.execute("SET log_statement = 'none'; SET log_min_messages = 'fatal'")
            try admin.execute("CREATE ROLE \(role) LOGIN SUPERUSER PASSWORD \(literal: password)")
            try admin.execute("CREATE DATABASE shop OWNER \(role)")
        }
    }

    /// A command with these variables in its environment; what it writes must not tell.
    @discardableResult
    func run(
        _ command: [String],
        _ environment: [String: String],
        meddle: (Int32) async throws -> Void = { _ in }
    ) async throws -> MartletProgram.Outcome {
        var program = MartletProgram(environment: environment)
        program.environment["PATH"] = watched.path
        let works = ["migrate", "finish", "abort"].contains(command[0])
        let outcome = try await program.run(
            command + (works ? ["--work-dir", directory + "/work"] : []),
            meddle: meddle
        )
        expectSilence(outcome.output, "stdout of \(command)")
        expectSilence(outcome.error, "stderr of \(command)")
        return outcome
    }

    // MARK: Where a secret may have got

    /// Fails when a part of a password is in a text.
    func expectSilence(_ text: String, _ place: String) {
        for token in tokens where text.contains(token) { Issue.record("a password is in \(place)") }
    }

    /// Looks at all that can be looked at while a move runs: the journal, sessions, files, command lines.
    func expectSilence() async throws {
        for server in [adminSource, adminTarget] {
            try await withConnection(to: server) { connection in
                let tables = try connection.query(
                    """
                    SELECT c.oid::regclass::text AS name FROM pg_class c
                     WHERE c.relnamespace = to_regnamespace('martlet') AND c.relkind = 'r'
                    """
                ).map { row throws(PostgresError) in SQL(trusting: try row("name")) }
                let catalogs: [SQL] = [
                    "pg_stat_activity", "pg_subscription", "pg_publication", "pg_replication_slots",
                    "pg_replication_origin", "pg_prepared_xacts", "pg_foreign_server", "pg_user_mapping",
                    "pg_stat_replication", "pg_db_role_setting",
                ]
                for table in tables + catalogs {
                    let rows = try connection.query("SELECT string_agg(to_jsonb(t)::text, ' ') FROM \(table) AS t")
                    expectSilence(rows.first?.text(0) ?? "", "table \(table.text)")
                }
            }
        }
        expectSilence(in: directory + "/work")
        for server in [source, target] { expectSilence(in: server.directory + "/log") }
        expectSilence(watched.arguments, "a command line of pg_dump or pg_restore")
    }

    /// Looks into a file, or into all that are in a folder.
    private func expectSilence(in path: String) {
        let below = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        for name in [path] + below.map({ path + "/" + $0 }) {
            guard let content = FileManager.default.contents(atPath: name) else { continue }
            for token in tokens where content.range(of: Data(token.utf8)) != nil {
                Issue.record("a password is in file \(name)")
            }
        }
    }

    /// Looks at the command line of every process of this machine until `body` has ended; returns how many it has seen.
    @discardableResult
    func watchingProcesses(_ body: @escaping @Sendable () async throws -> Void) async throws -> Int {
        let end = Ending()
        return try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                defer { end.note() }
                try await body()
                return 0
            }
            group.addTask {
                var seen: Set<String> = []
                try await eventually("the end of the move", within: .seconds(280)) {
                    seen.formUnion(commandLines())
                    return end.isThere
                }
                for line in seen { expectSilence(line, "the command line \(line.prefix(40))…") }
                return seen.count
            }
            return try await group.reduce(0, +)
        }
    }

    private func commandLines() -> [String] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.filter { Int32($0) != nil }.compactMap { number in
            // One that has ended meanwhile has no file.
            guard let file = FileHandle(forReadingAtPath: "/proc/\(number)/cmdline") else { return nil }
            defer { try? file.close() }
            return (try? file.read(upToCount: 1 << 16)).map { String(decoding: $0, as: UTF8.self) }
        }
    }
}
