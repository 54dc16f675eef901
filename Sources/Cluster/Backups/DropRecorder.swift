import Catalog
public import Foundation
import Postgres

/// Notes who drops tables, views, sequences and schemas of a database, by an event trigger; a TRUNCATE is none.
///
/// It makes schema `martlet_recorder` and an event trigger of that name, which takes a note in the transaction of the drop itself and fails
/// nobody's statement. Only a superuser, or whoever may make event triggers, can switch it on.
public struct DropRecorder: Sendable {
    private let place: ConnectionString

    /// The recorder of a database of a server whose backups are kept, or of a sandbox.
    public init(of source: String, database: String, _ sandboxes: Sandboxes = Sandboxes()) async throws {
        place = try await Backups(of: sandboxes).source(of: source).connection.with("dbname", database)
    }

    /// One thing that was dropped.
    public struct Note: Sendable {
        /// When, by the clock of its server.
        public let at: Date
        /// The transaction, with its epoch.
        public let transaction: UInt64
        /// What it was: `table`, `view`.
        public let kind: String
        /// Its name, as SQL writes it.
        public let name: String
        /// The role that had logged in.
        public let role: String
        /// What the client called itself.
        public let application: String
        /// Where it came from; nil through a socket.
        public let client: String?
        /// The statement, its first 10,000 characters.
        public let statement: String
    }

    /// Switches it on, or off with all its notes; false when it was so already.
    public func set(_ isOn: Bool) async throws -> Bool {
        try await withNeutralConnection(to: place, application: "martlet restore") { session in
            guard try Self.isOn(session) != isOn else { return false }
            try session.execute("SET lock_timeout = '10s'")
            if isOn {
                try await session.transaction { try session.execute(CopySQL.recorder) }
            } else {
                try await session.transaction {
                    try session.execute(
                        "DROP EVENT TRIGGER IF EXISTS martlet_recorder; DROP SCHEMA martlet_recorder CASCADE"
                    )
                }
            }
            return true
        }
    }

    /// The newest notes, the newest first; nil when it is off.
    ///
    /// With `transaction` only those of this one, with or without its epoch; at most `limit`.
    public func notes(of transaction: UInt64? = nil, limit: Int = 100) async throws -> [Note]? {
        try await withNeutralConnection(to: place, application: "martlet restore") { session in
            guard try Self.isOn(session) else { return nil }
            let only: SQL =
                transaction.map {
                    "WHERE transaction::text::numeric % 4294967296 = \(literal: String($0))::numeric % 4294967296"
                } ?? ""
            return try session.query(
                """
                SELECT extract(epoch FROM at)::float8 AS at, transaction::text AS transaction, kind, name, role, application,
                       host(client) AS client, coalesce(statement, '') AS statement
                  FROM martlet_recorder.drops \(only) ORDER BY at DESC LIMIT $1
                """,
                limit
            ).map { row throws(PostgresError) in
                Note(
                    at: Date(timeIntervalSince1970: try row("at")),
                    transaction: try row("transaction"),
                    kind: try row("kind"),
                    name: try row("name"),
                    role: try row("role"),
                    application: try row("application"),
                    client: try row.optional("client"),
                    statement: try row("statement")
                )
            }
        }
    }

    private static func isOn(_ session: Connection) throws(PostgresError) -> Bool {
        try session.query("SELECT to_regclass('martlet_recorder.drops') IS NOT NULL AS on").first?("on", as: Bool.self)
            == true
    }
}
