import Catalog
import Foundation
import Postgres

/// A restored server that stands still at a place of the log, can be read, and can be led on to a later one.
final class PausedServer {
    let place: ServerDirectory
    private let sandboxes: Sandboxes
    private let record: Sandbox.Record

    init(_ place: ServerDirectory, _ record: Sandbox.Record, _ sandboxes: Sandboxes) {
        (self.place, self.record, self.sandboxes) = (place, record, sandboxes)
    }

    func connection(to database: String) -> ConnectionString {
        place.connection(to: database, as: record.superuser, socket: record.socket, port: nil)
    }

    /// Stops where the backup is consistent, which is where it had ended.
    func begin(_ backup: Backup) async throws {
        try await replay(["recovery_target": "immediate"], until: backup.stop)
    }

    /// Goes on to a place: to what stands before the record there, or, when it is `inclusive`, with it.
    ///
    /// A recovery target cannot be changed while the server runs, so it is started anew, from its last restart point.
    func replay(to lsn: LSN, inclusive: Bool) async throws {
        let target = ["recovery_target_lsn": "\(lsn)", "recovery_target_inclusive": inclusive ? "on" : "off"]
        // With it the record there, which is the end of a transaction.
        try await replay(target, until: lsn)
    }

    private func replay(_ target: [String: String], until end: LSN) async throws {
        try await sandboxes.halt(place)
        var record = record
        record.settings.merge(target) { $1 }
        record.settings["recovery_target_action"] = "pause"
        record.settings["restore_command"] = LogFetcher(place: place).restoreCommand(until: end)
        let logStart = place.logSize
        do {
            try await sandboxes.launch(place, record, within: Sandboxes.replayLimit, keepsRecord: false)
            try await waitForPause()
        } catch let error as PostgresError {
            // A recovery that fails ends the server, and with it our session.
            let end = ContinuousClock.now + .seconds(10)
            while error.isConnectionLoss, Sandbox.isRunning(place), ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(50))
            }
            if let known = Restore.known(in: place.logTail(lines: 400, from: logStart)) { throw known }
            throw Sandbox.isRunning(place) ? error : place.failure("could not replay the log", logFrom: logStart)
        }
        // It pauses by itself, too, when it has too few places for what its source had.
        guard place.logTail(lines: 400, from: logStart).contains("recovery stopping") else {
            throw Restore.tooFewPlaces(URL(filePath: place.path).lastPathComponent)
        }
    }

    private func waitForPause() async throws {
        try await withNeutralConnection(to: connection(to: "template1"), application: "martlet restore") { session in
            while try session.query("SELECT pg_get_wal_replay_pause_state() = 'paused' AS paused").first?(
                "paused",
                as: Bool.self
            ) != true {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}

extension Restore {
    /// Restores a backup to where it is consistent, hands the server over, and removes it afterwards.
    func withPausedServer<Result>(
        from backup: Backup,
        _ body: (PausedServer) async throws -> Result
    ) async throws -> Result {
        let name = "find-\(UInt32.random(in: 0 ... .max))"
        let binaries = try await Installation.server(major: backup.major)
        return try await sandboxes.locked(name) {
            let place = try sandboxes.newPlace(name)
            do {
                try place.make()
                // Should martlet be killed, the next one removes it.
                try await sandboxes.write(origin(backup, expires: Date.now.addingTimeInterval(86_400)), in: place)
                let settings = try await archive.fetch(backup, to: place)
                try await CopyConfiguration.install(in: place, signal: "recovery.signal")
                let record = Sandbox.Record(
                    major: binaries.major,
                    binaries: binaries.directory,
                    port: nil,
                    socket: try place.socketDirectory(),
                    settings: CopyConfiguration.withoutSchedulers(settings).merging(recovery(of: place)) { $1 },
                    superuser: backup.superuser
                )
                let server = PausedServer(place, record, sandboxes)
                try await server.begin(backup)
                let result = try await body(server)
                try await remove(place, record)
                return result
            } catch {
                // The first failure is the one to tell.
                try? await remove(place)
                throw error
            }
        }
    }

    private func remove(_ place: ServerDirectory, _ record: Sandbox.Record? = nil) async throws {
        try await withoutCancellation {
            try await sandboxes.halt(place)
            if let socket = record?.socket, socket != place.path { try ServerDirectory(path: socket).remove() }
            try place.remove()
        }
    }
}
