public import Catalog
public import Cluster
import Foundation
import Postgres
import Synchronization

/// The servers that the tests of one process share: one for each role and major version, started when first asked for.
///
/// They end with the process, whatever ends it (see `withServer`).
public enum TestServer {
    /// What a server is for; the two of one migration are never the same server.
    public enum Role: String, Sendable, Hashable {
        /// Where a migration comes from, and where a test that needs only one server runs.
        case source
        /// Where a migration goes to.
        case target
        /// A server for tests that look at what else goes on there: long transactions, sessions, free slots.
        case quiet
    }

    /// The majors that are installed here, the one of the system first, then upwards.
    ///
    /// Looks where `Installation.servers()` looks, and in the caches that scripts/postgres-versions fills.
    public static var availableMajors: [Int] {
        get async {
            let all = await installations.all.map(\.major)
            guard let first = all.first else { return [] }
            return [first] + Set(all).subtracting([first]).sorted()
        }
    }

    /// The installation of a major version; nil takes the system's.
    ///
    /// - Throws: a `PostgresError` when it is not installed.
    public static func binaries(major: Int? = nil) async throws -> Installation {
        if let found = await installations.all.first(where: { major == nil || $0.major == major }) { return found }
        return try await Installation.server(major: major)
    }

    /// The shared server of a role and a major version; nil takes the system's version.
    public static func shared(_ role: Role = .source, major: Int? = nil) async throws -> Server {
        let binaries = try await binaries(major: major)
        return try await pool.server(Key(role: role, major: binaries.major), binaries)
    }

    fileprivate struct Key: Hashable {
        let role: Role
        let major: Int
    }

    private static let installations = Installations()
    private static let pool = ServerPool()
}

/// The installations, looked for once; an actor because every parallel test asks, and the first one must do the work.
private actor Installations {
    private var found: Task<[Installation], Never>?

    var all: [Installation] {
        get async {
            let task = found ?? Task { await Self.search() }
            found = task
            return await task.value
        }
    }

    private static func search() async -> [Installation] {
        let root = URL(filePath: #filePath).appending(path: "../../..").standardized.path(percentEncoded: false)
        var all = await Installation.servers()
        let caches = [ProcessInfo.processInfo.environment["MARTLET_CACHE"], "/var/cache/martlet", root + "/.cache"]
        for cache in caches.compactMap({ $0 }) {
            for major in 14...20 where !all.contains(where: { $0.major == major }) {
                // A version that was not fetched is one that tests skip.
                guard let one = try? await Installation.server(directory: "\(cache)/postgresql/\(major)") else {
                    continue
                }
                all.append(one)
            }
        }
        return all
    }
}

/// The running servers; an actor because two tests that ask for the same one at once must get one server.
private actor ServerPool {
    private var servers: [TestServer.Key: Task<Server, any Error>] = [:]

    func server(_ key: TestServer.Key, _ binaries: Installation) async throws -> Server {
        let task = servers[key] ?? Task { try await Self.start(binaries) }
        servers[key] = task
        return try await task.value
    }

    /// Leaves the scope of a server open until the process ends; its watchdog closes it then.
    private static func start(_ binaries: Installation) async throws -> Server {
        let (started, sender) = AsyncThrowingStream<Server, any Error>.makeStream()
        Task {
            do {
                var configuration = ServerConfiguration(settings: [
                    "max_connections": "300", "max_prepared_transactions": "10",
                ])
                configuration.binaries = binaries
                try await withServer(configuration) { server in
                    sender.yield(server)
                    // Nobody cancels this task, and nobody ends this stream.
                    for await _ in AsyncStream<Never>.makeStream().stream {}
                }
            } catch {
                sender.finish(throwing: error)
            }
        }
        for try await server in started { return server }
        throw PostgresError("the server ended before it started")
    }
}
