import Catalog
import Foundation
import Postgres

/// Streaming replicas: sandboxes that follow another server.
extension Sandboxes {
    /// How far the copy of a data directory is: bytes done, and of how many when that is known.
    public typealias CopyProgress = @Sendable (_ done: Int, _ whole: Int?) -> Void

    /// The server of a sandbox's name, or of a connection string.
    public func source(_ text: String) async throws -> CopySource {
        if Self.isName(text), let sandbox = list().first(where: { $0.name == text }) {
            if sandbox.status == .database, let connection = sandbox.connection() {
                return try await CopySource.read(connection, title: text).asDatabase()
            }
            guard sandbox.status == .running, let connection = sandbox.ownConnection else {
                throw PostgresError(
                    "sandbox \"\(text)\" is not running",
                    hint: "Start it: martlet sandbox start \(text)"
                )
            }
            return try await CopySource.read(connection, title: text)
        }
        let connection: ConnectionString
        do {
            connection = try ConnectionString(text)
        } catch {
            // A word that is no sandbox is most likely meant to be one.
            if Self.isName(text) { _ = try find(text) }
            throw error
        }
        return try await CopySource.read(connection, title: connection.place)
    }

    /// Makes a replica of a server and starts it.
    ///
    /// On the source it makes a replication slot, which goes with the replica. Nothing is left on either side when it fails or
    /// is cancelled.
    ///
    /// - Throws: when the name is taken, the source refuses a copy, there is no room, or the programs of its version are missing.
    public func makeReplica(
        _ name: String,
        of source: CopySource,
        tcp: ServerConfiguration.TCP? = nil,
        settings: [String: String] = [:],
        progress: @escaping CopyProgress
    ) async throws -> Sandbox {
        try source.checkReplication(slots: 1)
        let binaries = try await Installation.server(major: source.major)
        return try await locked(name) {
            let place = try newPlace(name)
            let slot = "martlet_" + String(name.map { $0 == "-" ? "_" : $0 })
            let origin = Origin(
                kind: .replica,
                source: source.title,
                sandbox: list().contains { $0.name == source.title } ? source.title : nil,
                provider: "pg_basebackup",
                slot: slot,
                connection: source.connection.settings
            )
            try await checkSlot(slot, on: source)
            return try await making(place, origin) {
                try await checkRoom(for: source, in: place)
                let backup = BaseBackup(source: source, place: place, binaries: binaries, slot: slot)
                try await backup.run { progress($0.done, $0.whole) }
                let configuration = CopyConfiguration(source: source)
                try await CopyConfiguration.install(in: place, signal: "standby.signal")
                let record = Sandbox.Record(
                    major: binaries.major,
                    binaries: binaries.directory,
                    port: try port(tcp),
                    socket: try place.socketDirectory(),
                    settings: configuration.replica(slot: slot, name: name).merging(settings) { $1 },
                    superuser: source.superuser
                )
                try await launch(place, record, within: Self.replayLimit)
                return Sandbox(name: name, in: directory)
            }
        }
    }

    /// Makes a replica a server of its own, and drops its slot on the source.
    ///
    /// - Throws: when it is no replica, is not running, or does not become one within a minute; also when it is one, and its slot
    ///   could not be dropped.
    public func promote(_ name: String) async throws {
        try await locked(name) {
            let sandbox = try find(name)
            guard let origin = sandbox.origin, origin.kind == .replica, let record = sandbox.record else {
                throw PostgresError("sandbox \"\(name)\" is not a replica")
            }
            guard sandbox.status == .running, let connection = sandbox.ownConnection else {
                throw PostgresError(
                    "replica \"\(name)\" is not running",
                    hint: "Start it: martlet sandbox start \(name)"
                )
            }
            try await withNeutralConnection(to: connection, application: "martlet replica") { session in
                let row = try session.query("SELECT NOT pg_is_in_recovery() OR pg_promote(true, 60) AS done").first
                guard try row?("done", as: Bool.self) == true else {
                    throw PostgresError("replica \"\(name)\" has not become a primary within a minute")
                }
            }
            try await CloneHygiene(connection).run()
            var own = record
            for setting in ["primary_conninfo", "primary_slot_name", "max_logical_replication_workers"] {
                own.settings[setting] = nil
            }
            try await write(own, in: sandbox.place)
            try await write(nil as Origin?, in: sandbox.place)
            do {
                try await dropSlot(of: origin)
            } catch let error as PostgresError {
                // A source that is gone is the usual reason for a promotion.
                throw PostgresError(
                    "replica \"\(name)\" is a server of its own now, but its slot could not be dropped on \(origin.source)",
                    detail: error.line,
                    hint: "When that server is there again: SELECT pg_drop_replication_slot('\(origin.slot ?? "")')"
                )
            }
        }
    }

    private func checkSlot(_ slot: String, on source: CopySource) async throws {
        let isTaken = try await withNeutralConnection(to: source.connection) { session in
            try !session.query("SELECT FROM pg_replication_slots WHERE slot_name = $1", slot).isEmpty
        }
        guard !isTaken else {
            throw PostgresError(
                "server \(source.title) has a replication slot \"\(slot)\" already",
                detail: "Another replica of this name may need it.",
                hint: "Choose another name; or, when nobody needs it: SELECT pg_drop_replication_slot('\(slot)')"
            )
        }
    }
}
