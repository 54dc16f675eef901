import Catalog
import Postgres

/// Runs a PostgreSQL server for as long as `body` runs.
///
/// The server cannot outlive us: a shell that holds a pipe from us ends it however we end. When `body` returns,
/// throws or is cancelled the server is stopped and, unless ``ServerConfiguration/directory`` was given,
/// its directory removed; neither can be cancelled.
///
///     try await withServer(ServerConfiguration(major: 17)) { server in
///         try await withConnection(to: server.connection()) { … }
///     }
///
/// - Throws: a ``PostgresError`` when there is no installation or the server does not start, or what `body` throws.
public func withServer<Result>(
    _ configuration: ServerConfiguration = ServerConfiguration(),
    _ body: (Server) async throws -> Result
) async throws -> Result {
    let binaries: Installation =
        if let given = configuration.binaries { given } else { try await .server(major: configuration.major) }
    try Task.checkCancellation()
    let place = try configuration.directory.map(ServerDirectory.init(path:)) ?? .temporary()
    if configuration.directory != nil { try place.make() }
    let socket = try place.socketDirectory()
    let removed = (configuration.directory == nil ? [place.path] : []) + (socket == place.path ? [] : [socket])
    let keeper = Keeper(directory: place, binaries: binaries)
    return try await withThrowingTaskGroup { group in
        group.addTask {
            try await withoutCancellation {
                try await keeper.run(removing: removed, isDurable: configuration.isDurable)
            }
        }
        do {
            let server = try Server(configuration, binaries: binaries, place: place, keeper: keeper, socket: socket)
            try await server.initialise()
            try await server.start()
            let result = try await body(server)
            if configuration.directory != nil { try await withoutCancellation { try await server.stop() } }
            keeper.finish()
            try await group.waitForAll()
            return result
        } catch {
            // The first failure is the one to tell. The shell ends the server, and the group waits for the shell.
            keeper.finish()
            throw error
        }
    }
}
