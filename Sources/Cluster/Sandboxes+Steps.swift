import Catalog
import Foundation
import Postgres

/// The steps of a start, a stop and a removal; each is called with the lock held.
extension Sandboxes {
    /// Makes and starts a sandbox; nothing of it is left when that fails or is cancelled.
    func create(_ place: ServerDirectory, _ wish: Wish) async throws {
        do {
            try await launch(place, make(place, wish))
        } catch {
            // The first failure is the one to tell.
            try? await withoutCancellation {
                try await halt(place)
                try place.remove()
            }
            throw error
        }
    }

    /// Starts a sandbox with another record; when that fails or is cancelled it is as it was before.
    func restart(
        _ sandbox: Sandbox,
        with record: Sandbox.Record,
        insteadOf old: Sandbox.Record
    ) async throws {
        let place = sandbox.place
        do {
            try await withoutCancellation { try await halt(place) }
            // A copy may have log to replay before it accepts connections.
            try await launch(place, record, within: sandbox.origin == nil ? .seconds(60) : Self.replayLimit)
        } catch {
            // The first failure is the one to tell.
            try? await withoutCancellation {
                try await halt(place)
                if sandbox.status == .running { try await launch(place, old) }
            }
            throw error
        }
    }

    /// Runs initdb in a fresh directory; what an unfinished start left there is removed first.
    private func make(_ place: ServerDirectory, _ wish: Wish) async throws -> Sandbox.Record {
        let binaries = try await Installation.server(major: wish.major)
        try Task.checkCancellation()
        try await withoutCancellation {
            try await halt(place)
            try place.remove()
            try place.make()
            try await initialise(place, binaries)
        }
        try Task.checkCancellation()
        return Sandbox.Record(
            major: binaries.major,
            binaries: binaries.directory,
            port: try port(wish.tcp),
            socket: try place.socketDirectory(),
            settings: wish.settings
        )
    }

    /// Runs initdb in a fresh directory, and is not broken off.
    func initialise(_ place: ServerDirectory, _ binaries: Installation) async throws {
        try await withoutCancellation {
            // The same script as the watchdog's; nothing is started, and its input ends after one word.
            let password = String(UInt64.random(in: 0 ... .max), radix: 36)
            let outcome = try await Program.ofServer(
                script: Keeper.script,
                [place.path, binaries.directory, "--no-sync"],
                environment: binaries.serverEnvironment
            ).run(input: "initialise \(password)\n")
            guard outcome.output.contains("initialised 0") else {
                throw place.failure("could not initialise a server in \"\(place.path)\"", logFrom: 0)
            }
        }
        try Task.checkCancellation()
    }

    /// What an existing sandbox is to be from now on.
    func changed(_ sandbox: Sandbox, _ wish: Wish) throws -> Sandbox.Record {
        guard var record = sandbox.record else { throw PostgresError("sandbox \"\(sandbox.name)\" is incomplete") }
        if let major = wish.major, major != record.major {
            throw PostgresError(
                "sandbox \"\(sandbox.name)\" is a PostgreSQL \(record.major) server, not \(major)",
                hint: "Choose another name, or remove it with \"martlet sandbox remove \(sandbox.name)\"."
            )
        }
        record.settings.merge(wish.settings) { $1 }
        // Its source may listen elsewhere since.
        if let name = sandbox.replicated, let source = list().first(where: { $0.name == name })?.ownConnection {
            record.settings["primary_conninfo"] =
                source.with("application_name", sandbox.name).with("dbname", nil).secretText
        }
        switch wish.tcp {
        case nil: break
        case .anyPort: if record.port == nil { record.port = try freePort() }
        case .port(let port): record.port = port
        }
        // A short socket directory under /tmp may have been swept away.
        if !FileManager.default.fileExists(atPath: record.socket) {
            record.socket = try sandbox.place.socketDirectory()
        }
        return record
    }

    func port(_ tcp: ServerConfiguration.TCP?) throws -> Int? {
        switch tcp {
        case nil: nil
        case .anyPort: try freePort()
        case .port(let port): port
        }
    }

    /// Starts the server through `pg_ctl`, which detaches it from us, and waits until it accepts connections.
    ///
    /// A copy that has log to replay accepts them when it is consistent, which may take long.
    /// With the record the sandbox counts as made to its end, unless `keepsRecord` is false.
    func launch(
        _ place: ServerDirectory,
        _ record: Sandbox.Record,
        within limit: Duration = .seconds(60),
        keepsRecord: Bool = true
    ) async throws {
        let binaries = try await binaries(of: record)
        let settings = ServerConfiguration.fileSettings(
            record.settings,
            isDurable: true,
            socket: record.socket,
            port: record.port
        )
        try await place.write(ServerDirectory.settingsText(settings), to: "martlet.conf")
        let logStart = place.logSize
        try await withoutCancellation {
            let outcome = try await Program.ofServer(
                binaries.program("pg_ctl"),
                ["start", "-W", "-s", "-D", place.data, "-l", place.log],
                environment: binaries.serverEnvironment
            ).run()
            guard outcome.isSuccess else { throw place.failure("could not start the server", logFrom: logStart) }
        }
        let begin = ContinuousClock.now
        try await wait(
            atMost: limit,
            otherwise: place.failure("the server did not start in \(limit)", logFrom: logStart)
        ) {
            if Sandbox.isRunning(place) { return place.lock?.isReady ?? false }
            // Between the fork and the lock file there is nothing to see for some milliseconds.
            let hasFailed = place.logTail(lines: 40, from: logStart).contains("FATAL:")
            guard !hasFailed, ContinuousClock.now - begin < .seconds(10) else {
                throw place.failure("could not start the server", logFrom: logStart)
            }
            return false
        }
        if keepsRecord { try await write(record, in: place) }
    }

    /// Writes what a sandbox is, which says that it was made to its end.
    func write(_ record: Sandbox.Record, in place: ServerDirectory) async throws {
        try await place.write(Self.json(record), to: "sandbox.json")
    }

    /// Writes where a sandbox came from; nil says that it is like any other now.
    func write(_ origin: Origin?, in place: ServerDirectory) async throws {
        try await place.write(Self.json(origin), to: "origin.json")
    }

    private static func json(_ value: some Encodable) throws -> String {
        let json = JSONEncoder()
        json.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try json.encode(value), as: UTF8.self) + "\n"
    }

    /// The installation a sandbox was made with, or another one of its major version when that has gone.
    private func binaries(of record: Sandbox.Record) async throws -> Installation {
        do {
            return try await Installation.server(directory: record.binaries)
        } catch is PostgresError {
            return try await Installation.server(major: record.major)
        }
    }

    /// Ends the server of a directory, fast, and after half a minute immediately; does nothing when none runs.
    func halt(_ place: ServerDirectory) async throws {
        guard Sandbox.isRunning(place), let process = place.lock?.process else { return }
        for signal in [SIGINT, SIGQUIT] {
            guard kill(process, signal) == 0 else { break }
            do {
                let late = PostgresError(
                    "could not stop the server in \"\(place.path)\"",
                    detail: "Process \(process) is still there.",
                    hint: "End it by hand: kill -QUIT \(process)."
                )
                return try await wait(atMost: .seconds(30), otherwise: late) { !Sandbox.isRunning(place) }
            } catch let error as PostgresError {
                if signal == SIGQUIT { throw error }
            }
        }
    }

    /// Runs `body` while no other martlet changes this sandbox.
    ///
    /// The lock is on an open file, so it ends with us however we end.
    func locked<Result>(_ name: String, _ body: () async throws -> Result) async throws -> Result {
        let busy = PostgresError(
            "could not get at sandbox \"\(name)\" in time",
            detail: "Another martlet has been changing it for a minute.",
            hint: "Wait until it has finished, then try again."
        )
        return try await locked(name, file: name, shared: false, busy: busy, body)
    }

    /// Runs `body` with a lock on a file, which several may share.
    func locked<Result>(
        _ name: String,
        file: String,
        shared: Bool,
        busy: PostgresError,
        _ body: () async throws -> Result
    ) async throws -> Result {
        try checkName(name)
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw PostgresError(
                "could not make directory \"\(directory)\"",
                detail: (error as NSError).localizedDescription,
                hint: "Name another one in MARTLET_STATE_DIR."
            )
        }
        let path = directory + "/.\(file).lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw PostgresError("could not open file \"\(path)\"", detail: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        let kind = shared ? LOCK_SH : LOCK_EX
        try await wait(atMost: .seconds(60), otherwise: busy) { flock(descriptor, kind | LOCK_NB) == 0 }
        return try await body()
    }
}
