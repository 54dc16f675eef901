import Foundation
public import Postgres
public import Testing

/// Gives each test, and each test case, a database of its own on the server named by `MARTLET_TEST_SERVER`.
public struct TemporaryDatabase: TestTrait, SuiteTrait, TestScoping {
    @TaskLocal private static var database: ConnectionString?

    /// The database that belongs to the running test.
    public static var current: ConnectionString {
        guard let database else { preconditionFailure("the suite needs the trait .temporaryDatabase") }
        return database
    }

    /// Tests inherit the trait from their suite.
    public let isRecursive = true

    /// Creates a database, runs the test against it, and drops it whatever the outcome.
    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard !test.isSuite else { return try await function() }
        let text = ProcessInfo.processInfo.environment["MARTLET_TEST_SERVER"] ?? "host=/tmp user=postgres"
        let server = try ConnectionString(text)
        let name = "martlet_test_\(UInt64.random(in: 0 ... .max))"
        try await withConnection(to: server.with("dbname", "postgres")) { admin in
            try admin.execute("CREATE DATABASE \(Identifier(name))")
        }
        var failure: (any Error)?
        do {
            try await Self.$database.withValue(server.with("dbname", name)) { try await function() }
        } catch {
            failure = error
        }
        try await withoutCancellation {
            try await withConnection(to: server.with("dbname", "postgres")) { admin in
                try admin.execute("DROP DATABASE \(Identifier(name)) WITH (FORCE)")
            }
        }
        if let failure { throw failure }
    }
}

extension Trait where Self == TemporaryDatabase {
    /// Runs each test against a new, empty database.
    public static var temporaryDatabase: Self { Self() }
}
