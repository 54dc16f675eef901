public import Catalog
import Foundation
public import Postgres
import Synchronization

/// One running PostgreSQL that we started and that ends with us; get one with ``withServer(_:_:)``.
///
/// Its log stays in its directory, and errors quote the end of it.
public final class Server: Sendable {
    /// The installation it runs from.
    public let binaries: Installation

    /// The directory with the data, the log and the socket.
    public var directory: String { place.path }

    /// The directory of its Unix socket, which is the host of a connection through it.
    public let socketDirectory: String

    private let configuration: ServerConfiguration
    private let place: ServerDirectory
    private let keeper: Keeper
    private let changing: Mutex<(settings: [String: String], port: Int?)>

    /// How to end a server.
    public enum Shutdown: Sendable, Hashable {
        /// Sessions are broken off, what was committed is written: `pg_ctl stop -m fast`.
        case fast
        /// Everything stops at once, and the next start recovers from the WAL: `pg_ctl stop -m immediate`.
        case immediate
    }

    init(
        _ configuration: ServerConfiguration,
        binaries: Installation,
        place: ServerDirectory,
        keeper: Keeper,
        socket: String
    ) throws {
        self.configuration = configuration
        self.binaries = binaries
        self.place = place
        self.keeper = keeper
        socketDirectory = socket
        let port: Int? =
            switch configuration.tcp {
            case nil: nil
            case .anyPort: try freePort()
            case .port(let port): port
            }
        changing = Mutex((configuration.settings, port))
    }

    /// The TCP port on 127.0.0.1; nil when it listens on its socket alone.
    public var port: Int? { changing.withLock(\.port) }

    /// The server's main process; nil while it does not run.
    public var process: Int32? { keeper.process }

    /// Whether the server runs and accepts connections.
    public var isReady: Bool {
        guard let process, let lock = place.lock else { return false }
        return lock.process == process && lock.isReady
    }

    /// Where a database of this server is, as its superuser: through TCP when it listens there, otherwise through the socket.
    public func connection(to database: String = "postgres") -> ConnectionString {
        guard let port else { return socketConnection(to: database) }
        return place.connection(to: database, socket: socketDirectory, port: port)
    }

    /// Where a database of this server is, as its superuser, through the socket, without a password.
    public func socketConnection(to database: String = "postgres") -> ConnectionString {
        let connection = place.connection(to: database, socket: socketDirectory, port: nil)
        return connection.with("port", String(port ?? 5432))
    }

    /// The last lines of the server's log.
    public func logTail(lines: Int = 12) -> String { place.logTail(lines: lines) }

    /// Makes the data directory unless it is there.
    func initialise() async throws {
        guard !place.isInitialised else { return }
        let start = place.logSize
        keeper.initialise(password: String(UInt64.random(in: 0 ... .max), radix: 36))
        try await wait(
            atMost: configuration.deadline,
            otherwise: place.failure("could not initialise a server in time", logFrom: start)
        ) { keeper.initialised != nil || keeper.isGone }
        guard keeper.initialised == 0 else {
            throw place.failure("could not initialise a server in \"\(directory)\"", logFrom: start)
        }
    }

    /// Starts the server and waits until it accepts connections; does nothing when it already does.
    ///
    /// - Throws: a ``PostgresError`` with the end of the log when it does not come up in time.
    public func start() async throws {
        let deadline = ContinuousClock.now + configuration.deadline
        while true {
            if isReady { return }
            let logStart = place.logSize
            do {
                return try await startOnce(logFrom: logStart)
            } catch let error as PostgresError {
                let log = place.logTail(lines: 40, from: logStart)
                if configuration.tcp == .anyPort, log.contains("Address already in use") {
                    let port = try freePort()
                    changing.withLock { $0.port = port }
                } else if log.contains("pre-existing shared memory block") {
                    // Sessions of a server that was killed are about to notice it.
                    try await Task.sleep(for: .milliseconds(50))
                } else {
                    throw error
                }
                guard ContinuousClock.now < deadline else { throw error }
            }
        }
    }

    private func startOnce(logFrom logStart: Int) async throws {
        try await writeSettings()
        let endings = keeper.endings
        // One that is still recovering needs no second start.
        if keeper.process == nil { keeper.start() }
        try await wait(
            atMost: configuration.deadline,
            otherwise: place.failure("the server did not start in \(configuration.deadline)", logFrom: logStart)
        ) {
            guard !keeper.isGone, keeper.endings == endings else {
                throw place.failure("could not start the server in \"\(directory)\"", logFrom: logStart)
            }
            return isReady
        }
    }

    /// Stops the server and waits until it is gone; does nothing when it does not run.
    ///
    /// A fast stop that does not end by the deadline becomes an immediate one.
    public func stop(_ shutdown: Shutdown = .fast) async throws {
        kill(shutdown == .fast ? SIGINT : SIGQUIT)
        do {
            try await waitUntilGone()
        } catch is PostgresError {
            kill(SIGQUIT)
            kill(SIGCONT)
            try await waitUntilGone()
        }
    }

    /// Stops the server, then starts it again.
    public func restart(_ shutdown: Shutdown = .fast) async throws {
        try await stop(shutdown)
        try await start()
    }

    /// Sends the server's main process a signal, for tests of crashes and stalls; does nothing when it does not run.
    ///
    /// After SIGKILL wait with ``waitUntilGone()``; the data directory recovers at the next ``start()``.
    public func kill(_ signal: Int32) {
        guard let process else { return }
        _ = Foundation.kill(process, signal)
    }

    /// Waits until the server's main process has ended.
    public func waitUntilGone() async throws {
        try await wait(
            atMost: configuration.deadline,
            otherwise: place.failure("the server did not stop in \(configuration.deadline)", logFrom: 0)
        ) { keeper.process == nil }
    }

    /// Changes settings for the next start, or at once when they can be reloaded and the server is signalled with SIGHUP.
    public func set(_ settings: [String: String]) async throws {
        changing.withLock { $0.settings.merge(settings) { $1 } }
        try await writeSettings()
    }

    private func writeSettings() async throws {
        let (settings, port) = changing.withLock { $0 }
        let all = ServerConfiguration.fileSettings(
            settings,
            isDurable: configuration.isDurable,
            socket: socketDirectory,
            port: port
        )
        try await place.write(ServerDirectory.settingsText(all), to: "martlet.conf")
    }
}

extension ServerConfiguration {
    /// All that `martlet.conf` says: our defaults, what was asked for, and where to listen, which is ours to decide.
    static func fileSettings(
        _ settings: [String: String],
        isDurable: Bool,
        socket: String,
        port: Int?
    ) -> [String: String] {
        let place = [
            "listen_addresses": port == nil ? "" : "127.0.0.1", "port": String(port ?? 5432),
            "unix_socket_directories": socket,
        ]
        return defaultSettings(isDurable: isDurable).merging(settings) { $1 }.merging(place) { $1 }
    }
}
