import Cluster
import Foundation
import Postgres
import Synchronization
import TestSupport

/// What many storms share: two servers, a bad wire to each, and small disks for them and for martlet.
struct StormWorld: Sendable {
    /// One of the two servers.
    struct Station: Sendable {
        let server: Server
        let wire: NetworkProxy
        let disk: SmallDisk?

        /// A database, past the wire, as the application and the test reach it.
        func direct(_ database: String) -> ConnectionString {
            server.socketConnection(to: database)
        }

        /// A database over the wire, as martlet reaches it.
        func wired(_ database: String) -> ConnectionString {
            wire.connection(server.connection(to: database))
        }
    }

    let source: Station
    let target: Station
    /// Where martlet's work directories are.
    let disk: SmallDisk?

    /// The settings of the servers: little log, so that a small disk is enough.
    private static let settings = [
        "max_wal_size": "64MB", "min_wal_size": "32MB", "log_checkpoints": "off", "shared_buffers": "32MB",
        "checkpoint_timeout": "30s",
    ]

    /// Runs `body` with a world.
    static func with<Result>(_ body: (StormWorld) async throws -> Result) async throws -> Result {
        try await withStation { source in
            try await withStation { target in
                try await withSmallDisk(megabytes: 200) { disk in
                    if disk == nil { print("storm: no file system can be mounted here, so no disk will be full") }
                    try await execute(source.direct("postgres"), "CREATE DATABASE storm_template")
                    try await execute(source.direct("storm_template"), StormDatabase.definitions)
                    return try await body(StormWorld(source: source, target: target, disk: disk))
                }
            }
        }
    }

    private static func withStation<Result>(_ body: (Station) async throws -> Result) async throws -> Result {
        try await withSmallDisk(megabytes: 700) { disk in
            var configuration = ServerConfiguration(tcp: .anyPort, settings: settings)
            configuration.directory = disk.map { $0.path + "/server" }
            return try await withServer(configuration) { server in
                try await withNetworkProxy(to: server.port ?? 0) { wire in
                    try await body(Station(server: server, wire: wire, disk: disk))
                }
            }
        }
    }
}

/// What was reached, and when.
final class StormMarks: Sendable {
    private let reached = Mutex<[String: ContinuousClock.Instant]>([:])

    /// Notes that a mark was reached; only the first time counts.
    func reach(_ mark: String) {
        reached.withLock { $0[mark] = $0[mark] ?? .now }
    }

    /// When a mark was reached.
    subscript(mark: String) -> ContinuousClock.Instant? { reached.withLock { $0[mark] } }
}

/// What a storm did, with times: kept in a file, shown when it failed.
final class StormLog: Sendable {
    private let lines = Mutex<[String]>([])
    private let began = ContinuousClock.now

    /// Adds a line.
    func write(_ text: String) {
        let spent = began.duration(to: .now).components
        let milliseconds = Int(spent.seconds) * 1000 + Int(spent.attoseconds / 1_000_000_000_000_000)
        lines.withLock { $0.append("\(milliseconds) ms  \(text)") }
    }

    /// All of it.
    var text: String { lines.withLock { $0.joined(separator: "\n") } }
}
