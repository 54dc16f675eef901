import Catalog
import Foundation
public import Postgres

/// Backups of servers that are no sandboxes.
extension Backups {
    /// The server of a name that is no sandbox; nil when it is one.
    func kept(_ name: String) -> KeptServer? {
        // No file means that it is a sandbox.
        let data = try? Data(contentsOf: URL(filePath: "\(directory)/\(name)/server.json"))
        return data.flatMap { try? JSONDecoder().decode(KeptServer.self, from: $0) }
    }

    /// Whether backups of this name are those of a server that is no sandbox.
    public func isKept(_ name: String) -> Bool { kept(name) != nil }

    /// The server whose backups have this name.
    func source(of name: String) async throws -> CopySource {
        guard let kept = kept(name) else { return try await sandboxes.source(name) }
        return try await CopySource.read(kept.place, title: name)
    }

    /// Keeps backups of a server that is no sandbox under a name from now on.
    ///
    /// On the server it makes a replication slot, which keeps its log until it has been fetched.
    ///
    /// - Throws: when the name is taken, or our role may not replicate.
    public func keep(_ server: ConnectionString, as name: String) async throws {
        try sandboxes.checkName(name)
        let source = try await CopySource.read(server, title: server.place)
        // The base backup makes one of its own.
        try source.checkReplication(slots: 2)
        guard !source.isRecovering else {
            throw PostgresError(
                "server \(server.place) is a standby",
                hint: "Keep backups of its primary: the log of both is one."
            )
        }
        try await sandboxes.locked(name) {
            guard !areThere(of: name), !sandboxes.list().contains(where: { $0.name == name }) else {
                throw PostgresError(
                    "there is a sandbox \"\(name)\" already, or backups of one",
                    hint: "Choose another name."
                )
            }
            let slot = "martlet_backup_" + String(name.map { $0 == "-" ? "_" : $0 })
            let kept = KeptServer(connection: source.connection.settings, slot: slot)
            do {
                try makeFolders(of: name)
                let text = String(decoding: try JSONEncoder().encode(kept), as: UTF8.self)
                // Before the slot, so that it can be found by whoever comes after us.
                try await ServerDirectory(path: "\(directory)/\(name)").write(text, to: "server.json")
                try await kept.makeSlot()
            } catch {
                // The first failure is the one to tell. A slot that was there already is another's.
                try? await withoutCancellation {
                    if (error as? PostgresError)?.sqlState != "42710" { try await kept.dropSlot() }
                    try ServerDirectory(path: "\(directory)/\(name)").remove()
                }
                throw error
            }
        }
    }

    /// Fetches the log of a server that is no sandbox, until the task is cancelled; a server that is away is waited for.
    ///
    /// - Throws: when it is a sandbox, which archives its log by itself, or what pg_receivewal says.
    public func receive(_ name: String, tell: (String) -> Void) async throws {
        guard let kept = kept(name) else {
            throw PostgresError(
                "there are no backups of a server \"\(name)\"",
                hint:
                    "A sandbox archives its log by itself. Of another server take one first: martlet backup take \(name) --from URL"
            )
        }
        let binaries = try await Installation.server(major: source(of: name).major)
        var failures = 0
        while true {
            let began = ContinuousClock.now
            do {
                try await kept.receive(into: archive(of: name), until: nil, binaries)
            } catch let error as PostgresError {
                // A server that is away for a while comes back; what fails again and again does not mend itself.
                failures = began.duration(to: .now) > .seconds(60) ? 1 : failures + 1
                let isAway = await isAway(kept)
                guard isAway || failures < 3 else { throw error }
                tell("\(error.message): \(error.detail ?? "") Trying again.")
            }
            try await Task.sleep(for: .seconds(5))
        }
    }

    private func isAway(_ kept: KeptServer) async -> Bool {
        do {
            _ = try await kept.isReceiving()
            return false
        } catch let error as PostgresError {
            return error.isConnectionLoss
        } catch {
            return false
        }
    }

    /// Fetches the log up to now.
    func fetchPresent(of name: String, _ kept: KeptServer, _ major: Int) async throws {
        let end = try await kept.present()
        if try await kept.isReceiving() { return try await kept.waitForReceiver(until: end) }
        try await kept.receive(into: archive(of: name), until: end, Installation.server(major: major))
    }
}
