import Catalog
import Foundation
public import Postgres

/// A running server whose data directory is copied, and what is known of it.
public struct CopySource: Sendable {
    /// What people call it: a sandbox's name, or host, port and database.
    public let title: String
    /// Where it is, with nothing left to variables and files that another process may not have.
    public let connection: ConnectionString
    /// Whether it is a clone that is one database of a server that has others.
    public private(set) var isDatabase = false
    /// Its major version.
    public let major: Int
    /// Whether it is a standby itself, or restores a backup.
    public let isRecovering: Bool
    /// The size of its databases in bytes, as far as our role may connect to them.
    public let bytes: Int
    /// Its system identifier, which a physical copy shares with it.
    public let system: String
    /// The role that initdb has made; the names of roles are those of the source in a copy.
    let superuser: String
    let dataDirectory: String?
    let mayReplicate: Bool
    let freeSenders: Int
    let freeSlots: Int
    let walLevel: String
    /// Settings that a copy should have.
    let settings: [String: String]
    /// Folders outside of the data directory, by their OIDs.
    let tablespaces: [(oid: UInt32, location: String)]

    /// The same, for a clone that is one database of its server.
    func asDatabase() -> CopySource {
        var source = self
        source.isDatabase = true
        return source
    }

    /// Asks a server about itself; writes nothing.
    ///
    /// - Throws: when it cannot be reached.
    static func read(_ connection: ConnectionString, title: String) async throws -> CopySource {
        // Not with neutral settings, as the server's own are asked for.
        try await withConnection(to: connection, application: "martlet copy") { session in
            guard let row = try session.query(CopySQL.source).first else {
                throw PostgresError("server \(title) does not answer a question about itself")
            }
            let settings = try session.query(CopySQL.settings).map { row throws(PostgresError) in
                (try row("name", as: String.self), try row("value", as: String.self))
            }
            let tablespaces = try session.query(CopySQL.tablespaces).map { row throws(PostgresError) in
                (oid: try row("oid", as: UInt32.self), location: try row("location", as: String.self))
            }
            return CopySource(
                title: title,
                connection: session.reached,
                major: try row("major"),
                isRecovering: try row("is_recovering"),
                bytes: try row.optional("bytes") ?? 0,
                system: try row("system"),
                superuser: try row.optional("superuser") ?? "postgres",
                dataDirectory: try row.optional("data_directory"),
                mayReplicate: try row.optional("may_replicate") ?? false,
                freeSenders: try row("free_senders"),
                freeSlots: try row("free_slots"),
                walLevel: try row("wal_level"),
                settings: Dictionary(settings) { $1 },
                tablespaces: tablespaces
            )
        }
    }

    /// Checks that a copy is one of this server, and not of another that was reached instead.
    func checkIdentity(of place: ServerDirectory, _ binaries: Installation) async throws {
        let found = try await place.controlData(binaries)["Database system identifier"]
        guard found == system else {
            throw PostgresError(
                "what was copied is not server \(title)",
                detail: "Its system identifier is \(found ?? "unknown"), and that of the server is \(system)."
            )
        }
    }

    /// Refuses what a copy through the replication protocol would fail at, before anything is made.
    func checkReplication(slots: Int) throws(PostgresError) {
        guard !isDatabase else {
            throw PostgresError(
                "\(title) is one database of a server that has others",
                detail: "A copy of files would have all of them.",
                hint: "It can be cloned by its rows, or by template: martlet clone create --from \(title)"
            )
        }
        guard mayReplicate else {
            throw PostgresError(
                "role \"\(connection["user"] ?? "")\" may not copy server \(title)",
                detail: "It has not the right to replicate.",
                hint:
                    "ALTER ROLE \(Identifier(connection["user"] ?? "").quoted) REPLICATION; managed servers give it in their own way, or not."
            )
        }
        guard freeSenders >= 2 else {
            throw PostgresError(
                "server \(title) has no free place for a copy",
                detail: "A base backup takes two WAL senders, and \(max(0, freeSenders)) of max_wal_senders are free.",
                hint: "Raise max_wal_senders and restart it, or end another replica."
            )
        }
        guard freeSlots >= slots else {
            throw PostgresError(
                "server \(title) has no free replication slot",
                detail: "All of max_replication_slots are in use.",
                hint: "Drop one that nobody needs, or raise max_replication_slots and restart it."
            )
        }
        guard walLevel != "minimal" else {
            throw PostgresError(
                "server \(title) cannot be copied while it runs",
                detail: "Its wal_level is minimal.",
                hint: "Set wal_level to replica and restart it."
            )
        }
    }
}
