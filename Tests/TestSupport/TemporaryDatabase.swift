public import Cluster
public import Postgres
public import Testing

/// Gives each test, and each test case, an empty database of its own on the shared source server.
///
///     @Test(.temporaryDatabase) func `tables are listed`() async throws {
///         try await withConnection(to: TemporaryDatabase.current) { … }
///     }
public struct TemporaryDatabase: TestTrait, SuiteTrait, TestScoping {
    let major: Int?

    @TaskLocal private static var bound: ConnectionString?

    /// Where the database of the running test is.
    public static var current: ConnectionString {
        guard let bound else { preconditionFailure("the test needs the trait .temporaryDatabase") }
        return bound
    }

    /// Tests inherit the trait from their suite.
    public var isRecursive: Bool { true }

    /// Creates a database, runs the test against it, and drops it whatever the outcome.
    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard !test.isSuite else { return try await function() }
        let major = try await availableOrCancelled(major)
        try await withDatabase(on: TestServer.shared(.source, major: major)) { database in
            try await Self.$bound.withValue(database) { try await function() }
        }
    }
}

/// A source database on one server and a target database on another.
///
///     @Test(.databasePair(source: 14, target: 18)) func `rows arrive`() async throws {
///         try await move(from: DatabasePair.current.source, to: DatabasePair.current.target)
///     }
public struct DatabasePair: TestTrait, SuiteTrait, TestScoping {
    let sourceMajor: Int?
    let targetMajor: Int?

    /// The two databases of a running test.
    public struct Places: Sendable {
        /// Where the data come from.
        public let source: ConnectionString
        /// Where they go to.
        public let target: ConnectionString

        /// Two databases.
        public init(source: ConnectionString, target: ConnectionString) {
            (self.source, self.target) = (source, target)
        }
    }

    @TaskLocal private static var bound: Places?

    /// Where the databases of the running test are.
    public static var current: Places {
        guard let bound else { preconditionFailure("the test needs the trait .databasePair") }
        return bound
    }

    /// Tests inherit the trait from their suite.
    public var isRecursive: Bool { true }

    /// Creates both databases, runs the test against them, and drops them whatever the outcome.
    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard !test.isSuite else { return try await function() }
        try await withDatabasePair(source: sourceMajor, target: targetMajor) { pair in
            try await Self.$bound.withValue(pair) { try await function() }
        }
    }
}

/// Runs `body` with two new databases on two servers; for tests that take the majors as arguments.
public func withDatabasePair<Result>(
    source: Int? = nil,
    target: Int? = nil,
    _ body: (DatabasePair.Places) async throws -> Result
) async throws -> Result {
    let sourceMajor = try await availableOrCancelled(source)
    let targetMajor = try await availableOrCancelled(target)
    return try await withDatabase(on: TestServer.shared(.source, major: sourceMajor)) { source in
        try await withDatabase(on: TestServer.shared(.target, major: targetMajor)) { target in
            try await body(DatabasePair.Places(source: source, target: target))
        }
    }
}

/// Runs `body` with a new database on a server, and drops it afterwards with its replication slots.
///
/// `encoding`: another one than the server's.
public func withDatabase<Result>(
    on server: Server,
    encoding: String? = nil,
    _ body: (ConnectionString) async throws -> Result
) async throws -> Result {
    let name = "martlet_test_\(UInt64.random(in: 0 ... .max))"
    try await withConnection(to: server.connection()) { admin in
        let options: SQL =
            encoding.map { " TEMPLATE template0 ENCODING \(literal: $0) LC_COLLATE 'C' LC_CTYPE 'C'" } ?? ""
        try admin.execute("CREATE DATABASE \(Identifier(name))\(options)")
    }
    let outcome: Swift.Result<Result, any Error>
    do { outcome = .success(try await body(server.connection(to: name))) } catch { outcome = .failure(error) }
    try await withoutCancellation { try await drop(name, on: server) }
    return try outcome.get()
}

/// A slot keeps its database from being dropped, and one in use cannot be dropped before its walsender is gone.
private func drop(_ database: String, on server: Server) async throws {
    try await withConnection(to: server.connection()) { admin in
        let slots = SQL("SELECT count(*) FROM pg_replication_slots WHERE database = \(literal: database)")
        try await eventually("the slots of database \"\(database)\" are dropped") {
            try admin.execute(
                """
                SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots \
                WHERE database = \(literal: database) AND active;
                SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
                WHERE database = \(literal: database) AND NOT active
                """
            )
            return try admin.query(slots)[0].text(0) == "0"
        }
        try admin.execute("DROP DATABASE \(Identifier(database)) WITH (FORCE)")
    }
}

/// The major, when its server is installed; otherwise the test is cancelled, which the summary shows.
private func availableOrCancelled(_ major: Int?) async throws -> Int? {
    guard let major, await !TestServer.availableMajors.contains(major) else { return major }
    try Test.cancel("PostgreSQL \(major) is not installed; \"make versions\" fetches it")
}

extension Trait where Self == TemporaryDatabase {
    /// Runs each test against a new, empty database.
    public static var temporaryDatabase: Self { Self(major: nil) }

    /// Runs each test against a new, empty database of a major version.
    public static func temporaryDatabase(major: Int) -> Self { Self(major: major) }
}

extension Trait where Self == DatabasePair {
    /// Runs each test with a new source and a new target database, on two servers.
    public static var databasePair: Self { Self(sourceMajor: nil, targetMajor: nil) }

    /// As ``databasePair``, on servers of these major versions; nil is the system's.
    public static func databasePair(source: Int? = nil, target: Int? = nil) -> Self {
        Self(sourceMajor: source, targetMajor: target)
    }
}
