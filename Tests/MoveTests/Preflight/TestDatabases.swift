import Foundation
import Postgres
import Testing

/// Two new, empty databases, on two servers when the environment names two.
///
/// `MARTLET_TEST_SERVER` names the server with `wal_level = logical` that holds the source,
/// `MARTLET_TEST_TARGET` the one that holds the target.
struct DatabasePair: TestTrait, SuiteTrait, TestScoping {
    struct Databases: Sendable {
        var source: ConnectionString
        var target: ConnectionString
    }

    @TaskLocal private static var databases: Databases?

    /// The databases of the running test.
    static var current: Databases {
        guard let databases else { preconditionFailure("the test needs the trait .databasePair") }
        return databases
    }

    let isRecursive = true

    static func server(_ variable: String) throws -> ConnectionString {
        try ConnectionString(ProcessInfo.processInfo.environment[variable] ?? "host=/tmp user=postgres")
    }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard !test.isSuite else { return try await function() }
        try await withNewDatabase(on: Self.server("MARTLET_TEST_SERVER")) { source in
            try await withNewDatabase(on: Self.server("MARTLET_TEST_TARGET")) { target in
                try await Self.$databases.withValue(Databases(source: source, target: target)) { try await function() }
            }
        }
    }
}

extension Trait where Self == DatabasePair {
    /// Runs each test against two new, empty databases.
    static var databasePair: Self { Self() }
}

/// Makes a database, and drops it whatever the outcome.
func withNewDatabase<Result: Sendable>(
    on server: ConnectionString,
    options: SQL = "TEMPLATE template0",
    _ body: @Sendable (ConnectionString) async throws -> Result
) async throws -> Result {
    let name = Identifier("martlet test \(UInt32.random(in: 0 ... .max))")
    try await run("CREATE DATABASE \(name) \(options)", on: server.with("dbname", "postgres"))
    let outcome: Swift.Result<Result, any Error>
    do {
        outcome = .success(try await body(server.with("dbname", name.name)))
    } catch {
        outcome = .failure(error)
    }
    let drop: @Sendable () async throws -> Void = {
        try await run("DROP DATABASE \(name) WITH (FORCE)", on: server.with("dbname", "postgres"))
    }
    try await withoutCancellation(drop)
    return try outcome.get()
}

/// Makes a role that may log in, with a name of its own, and drops it with all its rights afterwards.
func withRole(
    on place: ConnectionString,
    attributes: SQL = "",
    _ body: (Identifier, ConnectionString) async throws -> Void
) async throws {
    let role = Identifier("Rôle \"x\" \(UInt32.random(in: 0 ... .max))")
    try await run("CREATE ROLE \(role) LOGIN \(attributes)", on: place)
    let outcome: Result<Void, any Error>
    do {
        outcome = .success(try await body(role, place.with("user", role.name)))
    } catch {
        outcome = .failure(error)
    }
    try await run("DROP OWNED BY \(role) CASCADE", on: place)
    try await run("DROP ROLE \(role)", on: place)
    try outcome.get()
}

/// Runs statements, each in a transaction of its own.
func run(_ statements: SQL..., on place: ConnectionString) async throws {
    try await withConnection(to: place, application: "martlet test") { connection in
        for statement in statements { try connection.execute(statement) }
    }
}

/// Runs remedies as they are printed.
func run(_ remedies: [String], on place: ConnectionString) async throws {
    try await withConnection(to: place, application: "martlet test") { connection in
        for remedy in remedies { try connection.execute(SQL(trusting: remedy)) }
    }
}
