import Catalog
public import Foundation
public import Postgres

/// Clones: sandboxes that were another server at a moment, and can be written.
extension Sandboxes {
    /// How long the log may take that belongs to a copy.
    static let replayLimit = Duration.seconds(24 * 3600)

    /// How a clone is made.
    public struct CloneWish: Sendable {
        /// The way to copy; nil is the best one that fits.
        public var provider: CloneProvider?
        /// The command of ``CloneProvider/command``.
        public var command: String?
        /// When it goes by itself.
        public var expires: Date?
        /// The port that it listens on besides its socket.
        public var tcp: ServerConfiguration.TCP?
        /// Settings, on top of those that it takes from its source.
        public var settings: [String: String] = [:]

        /// A clone without an end.
        public init() {}
    }

    /// Which way to copy fits a source best, and why a better one does not.
    public func provider(for source: CopySource, _ wish: CloneWish) async throws -> (CloneProvider, why: String) {
        if wish.command != nil {
            if let obstacle = await FolderCopy.obstacle(source) {
                throw PostgresError(
                    "could not clone server \(source.title) by a command",
                    detail: "The reason: \(obstacle)."
                )
            }
            return (.command, "a command was given")
        }
        if let asked = wish.provider, asked != .reflink { return (asked, "it was asked for") }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        guard let obstacle = await FolderCopy.obstacleToReflink(source, to: directory) else {
            return (.reflink, "the file system shares blocks")
        }
        guard wish.provider != .reflink else {
            throw PostgresError("could not clone server \(source.title) by reflink", detail: "The reason: \(obstacle).")
        }
        do {
            try source.checkReplication(slots: 1)
        } catch {
            return (.logical, "no reflink, because \(obstacle); no base backup, because \(error.message)")
        }
        return (.basebackup, "no reflink, because \(obstacle)")
    }

    private func cloneOrigin(_ source: CopySource, _ provider: CloneProvider, _ wish: CloneWish) -> Origin {
        Origin(
            kind: .clone,
            source: source.title,
            sandbox: list().contains { $0.name == source.title } ? source.title : nil,
            provider: provider.rawValue,
            slot: nil,
            expires: wish.expires,
            connection: [:]
        )
    }

    /// Makes a clone of a server and starts it.
    ///
    /// It archives nothing, follows nobody, subscribes to nothing, and runs no scheduler's jobs. `prepare` is run on it before
    /// anybody else may connect: it is reachable through its socket alone, in a folder that only its account may enter.
    /// Nothing is left when it fails or is cancelled; on the source nothing is made but temporary slots.
    public func makeClone(
        _ name: String,
        of source: CopySource,
        _ provider: CloneProvider,
        _ wish: CloneWish,
        progress: @escaping CopyProgress,
        prepare: (ConnectionString) async throws -> Void
    ) async throws -> Sandbox {
        try source.checkReplication(slots: 1)
        let binaries = try await Installation.server(major: source.major)
        return try await locked(name) {
            let place = try newPlace(name)
            return try await making(place, cloneOrigin(source, provider, wish)) {
                try await copy(source, to: place, provider, wish, binaries, progress)
                let configuration = CopyConfiguration(source: source)
                try await CopyConfiguration.install(in: place)
                var record = Sandbox.Record(
                    major: binaries.major,
                    binaries: binaries.directory,
                    port: nil,
                    socket: try place.socketDirectory(),
                    settings: configuration.clone().merging(wish.settings) { $1 },
                    superuser: source.superuser
                )
                let own = record.settings
                record.settings["max_logical_replication_workers"] = "0"
                try await launch(place, record, within: Self.replayLimit, keepsRecord: false)
                let connection = place.connection(
                    to: source.connection["dbname"] ?? "postgres",
                    as: record.superuser,
                    socket: record.socket,
                    port: nil
                )
                try await checkIsOurs(connection, place)
                try await CloneHygiene(connection, endsPrepared: true).run()
                try await prepare(connection)
                record.settings = own
                return try await open(place, record, wish)
            }
        }
    }

    /// Makes a clone of one database of a server, on an empty server of ours, which `fill` gets.
    ///
    /// Nothing is made on the source. `prepare` is run on the filled database before anybody else may connect, and nothing is
    /// left when it fails or is cancelled.
    ///
    /// - Throws: when the connection of the source names no database, or there are no programs of its version or a newer one.
    public func makeLogicalClone(
        _ name: String,
        of source: CopySource,
        _ wish: CloneWish,
        fill: (ConnectionString) async throws -> Void,
        prepare: (ConnectionString) async throws -> Void
    ) async throws -> Sandbox {
        guard let database = source.connection["dbname"] else {
            throw PostgresError("the connection to server \(source.title) names no database", hint: "Add dbname to it.")
        }
        let binaries = try await Installation.server(atLeast: source.major)
        return try await locked(name) {
            let place = try newPlace(name)
            return try await making(place, cloneOrigin(source, .logical, wish)) {
                try await initialise(place, binaries)
                let record = Sandbox.Record(
                    major: binaries.major,
                    binaries: binaries.directory,
                    port: nil,
                    socket: try place.socketDirectory(),
                    settings: wish.settings
                )
                try await launch(place, record, keepsRecord: false)
                let connection = place.connection(to: "postgres", socket: record.socket, port: nil)
                try await checkIsOurs(connection, place)
                try await fill(connection)
                try await prepare(connection.with("dbname", database))
                return try await open(place, record, wish)
            }
        }
    }

    /// Makes a clone of one database beside it, on its own server.
    ///
    /// `prepare` is run on it before anybody but its owner and superusers may connect. Nothing is left when it fails or is cancelled.
    ///
    /// - Throws: when somebody is connected to the source's database, or our role may not copy it.
    public func makeDatabaseClone(
        _ name: String,
        of source: CopySource,
        _ wish: CloneWish,
        prepare: (ConnectionString) async throws -> Void
    ) async throws -> Sandbox {
        guard let database = source.connection["dbname"] else {
            throw PostgresError("the connection to server \(source.title) names no database", hint: "Add dbname to it.")
        }
        return try await locked(name) {
            let place = try newPlace(name)
            var origin = cloneOrigin(source, .template, wish)
            origin.connection = source.connection.settings
            origin.mark = "martlet clone \(UUID().uuidString)"
            origin.database = name
            guard let clone = origin.clone else { throw PostgresError("a clone by template has no database") }
            try await clone.checkName()
            return try await making(place, origin) {
                try await clone.make(from: database, major: source.major)
                try await prepare(source.connection.with("dbname", name))
                try await clone.open(as: database)
                origin.isMade = true
                try await write(origin, in: place)
                return Sandbox(name: name, in: directory)
            }
        }
    }

    /// Refuses what is not the server in a directory of ours: libpq lets PGHOSTADDR lead even a socket's path elsewhere.
    func checkIsOurs(_ connection: ConnectionString, _ place: ServerDirectory) async throws {
        let found = try await withNeutralConnection(to: connection, application: "martlet clone") { session in
            try session.query("SELECT current_setting('data_directory') AS folder").first?("folder", as: String.self)
        }
        func resolved(_ path: String) -> String { URL(filePath: path).resolvingSymlinksInPath().path }
        guard let found, resolved(found) == resolved(place.data) else {
            throw PostgresError(
                "another server was reached than the one in \"\(place.path)\"",
                detail: "Its data directory is \"\(found ?? "")\". Nothing was done to it.",
                hint: "PGHOSTADDR may be set; name the server in the connection string instead."
            )
        }
    }

    /// Starts a clone for everybody that was reachable for us alone.
    private func open(_ place: ServerDirectory, _ record: Sandbox.Record, _ wish: CloneWish) async throws -> Sandbox {
        var record = record
        record.port = try port(wish.tcp)
        try await withoutCancellation { try await halt(place) }
        try await launch(place, record)
        return Sandbox(name: URL(filePath: place.path).lastPathComponent, in: directory)
    }

    private func copy(
        _ source: CopySource,
        to place: ServerDirectory,
        _ provider: CloneProvider,
        _ wish: CloneWish,
        _ binaries: Installation,
        _ progress: @escaping CopyProgress
    ) async throws {
        switch provider {
        case .reflink: try await FolderCopy(source: source, place: place, command: nil).run(binaries)
        case .command:
            try await FolderCopy(source: source, place: place, command: wish.command ?? "false").run(binaries)
        case .basebackup:
            try await checkRoom(for: source, in: place)
            let backup = BaseBackup(source: source, place: place, binaries: binaries, slot: nil)
            try await backup.run { progress($0.done, $0.whole) }
        case .logical, .template: throw PostgresError("a clone by \(provider.rawValue) has no data directory to copy")
        }
    }

    /// Removes what has lived for its time; one that cannot be removed does not keep the others.
    ///
    /// - Returns: the names, and of those that could not be removed why.
    public func removeExpired(_ now: Date = .now) async -> [(name: String, failure: PostgresError?)] {
        var ended: [(name: String, failure: PostgresError?)] = []
        for sandbox in list() where Self.isExpired(sandbox, now) {
            do {
                // Another martlet may have removed it, and made it anew.
                try await remove(sandbox.name) { Self.isExpired($0, now) }
                ended.append((sandbox.name, nil))
            } catch {
                guard FileManager.default.fileExists(atPath: sandbox.directory) else { continue }
                ended.append((sandbox.name, error as? PostgresError ?? PostgresError("\(error)")))
            }
        }
        return ended
    }

    private static func isExpired(_ sandbox: Sandbox, _ now: Date) -> Bool {
        sandbox.origin?.expires.map { $0 <= now } ?? false
    }
}
