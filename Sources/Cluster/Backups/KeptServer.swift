import Catalog
import Foundation
import Postgres

/// A server that is no sandbox, and whose backups and log are kept here.
///
/// Its log is fetched through the replication protocol by pg_receivewal. A slot keeps it on the server until it has been fetched.
struct KeptServer: Codable, Sendable {
    /// Libpq's keywords; secrets are among them.
    let connection: [String: String]
    /// The slot on the server.
    let slot: String

    var place: ConnectionString { ConnectionString(settings: connection) }

    /// Makes the slot, which keeps the log from now on.
    ///
    /// - Throws: when there is a slot of this name already.
    func makeSlot() async throws {
        _ = try await withNeutralConnection(to: place, application: "martlet backup") { session in
            try session.query("SELECT pg_create_physical_replication_slot($1, true)", slot)
        }
    }

    /// Drops the slot; one that is not there is fine.
    func dropSlot() async throws {
        _ = try await withNeutralConnection(to: place, application: "martlet backup") { session in
            try session.query(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
                slot
            )
        }
    }

    /// Whether somebody fetches the log just now.
    func isReceiving() async throws -> Bool {
        try await withNeutralConnection(to: place, application: "martlet backup") { session in
            try !session.query("SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active", slot).isEmpty
        }
    }

    /// A place that all commits until now stand before, with log behind it, so that who waits for it gets it.
    func present() async throws -> LSN {
        try await withNeutralConnection(to: place, application: "martlet backup") { session in
            let emit: SQL = "SELECT pg_logical_emit_message(true, 'martlet', 'archive')"
            try session.query(emit)
            guard let row = try session.query("SELECT pg_current_wal_flush_lsn() AS lsn").first else {
                throw PostgresError("server \(place.place) does not know where its log is")
            }
            let lsn: LSN = try row("lsn")
            try session.query(emit)
            return lsn
        }
    }

    /// Fetches the log into a folder, up to a place, or until the task is cancelled.
    ///
    /// What comes is written to disk before the server is told that it may forget it.
    ///
    /// - Throws: what pg_receivewal says; also when another one fetches it already.
    func receive(into folder: String, until end: LSN?, _ binaries: Installation) async throws {
        try await removeUnfinished(in: folder)
        let (address, secrets) = place.with("application_name", "martlet backup").with("dbname", nil).forChildProcess
        var arguments = ["-D", folder, "-d", address, "-S", slot, "--synchronous", "--no-loop"]
        if let end { arguments.append("--endpos=\(end)") }
        var program = Program.ofServer(
            try binaries.program("pg_receivewal"),
            arguments,
            environment: binaries.serverEnvironment.merging(secrets) { $1 }
        )
        program.ending = .request
        let outcome = try await program.run()
        try Task.checkCancellation()
        guard outcome.isSuccess else {
            throw PostgresError("could not fetch the log of server \(place.place)", detail: outcome.complaint)
        }
    }

    /// Removes segments that were still being made when a disk was full; pg_receivewal would refuse them, and there is no log in them.
    private func removeUnfinished(in folder: String) async throws {
        // A whole one has a power of two of bytes.
        let script = #"""
            for file in "$1"/*.partial; do
                size=$(stat -c %s "$file" 2>/dev/null) || continue
                test "$size" -ge 1048576 && test $((size & (size - 1))) = 0 || rm -f "$file"
            done
            """#
        _ = try await Program.ofServer(script: script, [folder]).run()
    }

    /// Waits until the one that fetches the log already has what stands before a place.
    func waitForReceiver(until end: LSN) async throws {
        try await withNeutralConnection(to: place, application: "martlet backup") { session in
            let deadline = ContinuousClock.now + .seconds(120)
            while try session.query(
                "SELECT FROM pg_replication_slots WHERE slot_name = $1 AND restart_lsn >= $2::pg_lsn",
                slot,
                "\(end)"
            ).isEmpty {
                guard ContinuousClock.now < deadline else {
                    throw PostgresError("the log of server \(place.place) has not been fetched within two minutes")
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
