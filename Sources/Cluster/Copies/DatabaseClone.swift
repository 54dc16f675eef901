import Catalog
import Foundation
import Postgres

/// A clone of a database beside it, on the same server, by `CREATE DATABASE … TEMPLATE`.
///
/// Files are copied (`STRATEGY file_copy`, 15 and newer) and shared block by block where server and file system can do that
/// (`file_copy_method = clone`, 18). While it is made nobody may be connected to the source. A comment on the new database marks it
/// as ours, and only what has that mark is dropped.
struct DatabaseClone {
    /// The server, in any database of it.
    let server: ConnectionString
    /// The new database.
    let database: String
    /// What its comment says.
    let mark: String

    /// Refuses a name that a database of the server has already.
    func checkName() async throws {
        try await onServer { session in
            guard try session.query("SELECT FROM pg_database WHERE datname = $1", database).isEmpty else {
                throw PostgresError(
                    "there is a database \"\(database)\" on \(server.with("dbname", nil).place) already",
                    hint: "Choose another name with --as."
                )
            }
        }
    }

    /// Makes it, closed to everybody but its owner and superusers.
    ///
    /// - Throws: when somebody is connected to `source`, or our role may not copy it.
    func make(from source: String, major: Int) async throws {
        try await onServer { session in
            try session.query(Self.lock, lockName)
            var options: SQL = "TEMPLATE \(Identifier(source)) ALLOW_CONNECTIONS false"
            if major >= 15 { options = "\(options) STRATEGY file_copy" }
            let create: SQL = "CREATE DATABASE \(Identifier(database)) \(options)"
            do {
                try Self.create(create, major, session)
            } catch let error as PostgresError where error.sqlState == "55006" {
                throw PostgresError(
                    "database \"\(source)\" is in use, and cannot be a template",
                    detail: error.detail,
                    hint: "End its sessions (martlet db sessions), or choose another --provider."
                )
            }
            try session.execute(
                """
                COMMENT ON DATABASE \(Identifier(database)) IS \(literal: mark);
                REVOKE CONNECT, TEMPORARY ON DATABASE \(Identifier(database)) FROM PUBLIC
                """
            )
            try session.execute("ALTER DATABASE \(Identifier(database)) ALLOW_CONNECTIONS true")
        }
    }

    /// What a server says that does not know the method, or whose file system does not (`errcode_for_file_access`).
    private static let cannotClone: Set<String> = ["22023", "0A000", "58030", "XX000"]

    /// Held while the database is made, so that nobody takes a half-made one for another's; ends with the session.
    private static let lock: SQL = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
    private var lockName: String { "martlet clone \(database)" }

    /// Shares blocks where that can be done, and copies them otherwise.
    private static func create(_ statement: SQL, _ major: Int, _ session: Connection) throws(PostgresError) {
        guard major >= 18 else { return try session.execute(statement) }
        do {
            try session.execute("SET file_copy_method = clone")
            try session.execute(statement)
        } catch {
            guard Self.cannotClone.contains(error.sqlState ?? "") else { throw error }
            try session.execute("SET file_copy_method = copy")
            try session.execute(statement)
        }
    }

    /// Lets everybody in who may connect to `source`.
    func open(as source: String) async throws {
        try await onServer { session in
            let rights = try session.query(
                """
                SELECT a.privilege_type AS name, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS role
                  FROM pg_database AS d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
                 WHERE d.datname = $1 AND a.grantee <> d.datdba
                   AND a.privilege_type IN ('CONNECT', 'TEMPORARY', 'CREATE')
                """,
                source
            )
            for right in rights {
                let name: SQL =
                    switch try right("name", as: String.self) {
                    case "CONNECT": "CONNECT"
                    case "CREATE": "CREATE"
                    default: "TEMPORARY"
                    }
                let role: SQL = try right.optional("role", as: Identifier.self).map { "\($0)" } ?? "PUBLIC"
                try session.execute("GRANT \(name) ON DATABASE \(Identifier(database)) TO \(role)")
            }
        }
    }

    /// Ends its sessions and drops it; one that is not there is fine, as is somebody else's in a clean-up.
    ///
    /// - Throws: when a database of this name does not bear our mark.
    func drop(isCleanup: Bool = false) async throws {
        try await onServer { session in
            // A server that has lost us goes on making it.
            try session.query(Self.lock, lockName)
            let row = try session.query(
                "SELECT shobj_description(oid, 'pg_database') AS mark, datallowconn AS open FROM pg_database WHERE datname = $1",
                database
            ).first
            guard let row else { return }
            let found = try row.optional("mark", as: String.self)
            // One that was broken off before it got its mark lets nobody in.
            guard try found == mark || found == nil && !row("open", as: Bool.self) else {
                if isCleanup { return }
                throw PostgresError(
                    "database \"\(database)\" on \(server.with("dbname", nil).place) is not the clone that was made",
                    detail: "Its comment is not that of the clone. It was left alone."
                )
            }
            try session.execute("DROP DATABASE \(Identifier(database)) WITH (FORCE)")
        }
    }

    /// Connects to a database of the server that is neither the source nor the clone, as both must be free.
    private func onServer(_ body: (Connection) async throws -> Void) async throws {
        do {
            try await withNeutralConnection(to: server.with("dbname", "postgres"), application: "martlet clone", body)
        } catch let error as PostgresError where error.sqlState == "3D000" {
            try await withNeutralConnection(to: server.with("dbname", "template1"), application: "martlet clone", body)
        }
    }
}
