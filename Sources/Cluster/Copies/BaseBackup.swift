import Catalog
import Foundation
import Postgres

/// A copy of a data directory through the replication protocol, by pg_basebackup.
struct BaseBackup {
    let source: CopySource
    let place: ServerDirectory
    let binaries: Installation
    /// The slot that is made for it, and stays for a standby; nil for a temporary one.
    let slot: String?
    /// Whether it must outlive a crash of the machine before a server has started on it, which would write it out.
    var isDurable = false

    /// How far it is, in bytes.
    struct Progress: Sendable {
        let done: Int
        /// Nil while it is being estimated.
        let whole: Int?
    }

    /// Copies it; a cancelled task ends the program.
    ///
    /// - Throws: what pg_basebackup says.
    func run(progress: @escaping @Sendable (Progress) -> Void) async throws {
        let (connection, secrets) = source.connection.with("application_name", Self.application(of: place))
            .with("dbname", nil).forChildProcess
        var arguments = ["-D", place.data, "-d", connection, "-X", "stream", "-c", "fast"]
        if !isDurable { arguments.append("--no-sync") }
        if let slot { arguments += ["-C", "-S", slot] }
        for tablespace in source.tablespaces {
            arguments += [
                "-T",
                "\(Self.escaped(tablespace.location))=\(Self.escaped("\(place.path)/tablespaces/\(tablespace.oid)"))",
            ]
        }
        let program = Program.ofServer(
            try binaries.program("pg_basebackup"),
            arguments,
            environment: binaries.serverEnvironment.merging(secrets) { $1 }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watch(progress) }
            let outcome = try await program.run()
            group.cancelAll()
            try Task.checkCancellation()
            guard outcome.isSuccess else { throw Self.error(outcome.complaint, source) }
        }
        try await source.checkIdentity(of: place, binaries)
    }

    /// In `OLD=NEW` an equals sign in a path has a backslash before it.
    private static func escaped(_ path: String) -> String { path.replacing("=", with: "\\=") }

    private static func application(of place: ServerDirectory) -> String {
        "martlet " + URL(filePath: place.path).lastPathComponent
    }

    /// Tells how far it is until the task is cancelled; a source that cannot be asked tells nothing.
    private func watch(_ progress: @escaping @Sendable (Progress) -> Void) async {
        // The backup itself tells what is wrong with the source.
        try? await withNeutralConnection(to: source.connection, application: "martlet copy") { session in
            while !Task.isCancelled {
                let row = try session.query(
                    """
                    SELECT p.backup_streamed AS done, p.backup_total AS whole
                      FROM pg_stat_progress_basebackup AS p JOIN pg_stat_activity AS a USING (pid)
                     WHERE a.application_name = $1
                    """,
                    Self.application(of: place)
                ).first
                if let row { progress(Progress(done: try row("done"), whole: try row.optional("whole"))) }
                try await Task.sleep(for: .milliseconds(250))
            }
        }
    }

    private static func error(_ complaint: String, _ source: CopySource) -> PostgresError {
        let hint: String? =
            if complaint.contains("no pg_hba.conf entry for replication") {
                "Let our role connect for replication: a line \"host replication ROLE ADDRESS scram-sha-256\" in its pg_hba.conf."
            } else if complaint.contains("No space left") {
                "Nothing is left of it. Make room, or name another folder in MARTLET_STATE_DIR."
            } else if complaint.contains("max_wal_senders") {
                "Raise max_wal_senders on the source."
            } else {
                nil
            }
        return PostgresError("could not copy server \(source.title)", detail: complaint, hint: hint)
    }
}
