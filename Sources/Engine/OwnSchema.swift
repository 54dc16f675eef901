public import Postgres

/// Schema `martlet` on either server: ours alone, because martlet runs statements that it reads there, and drops it in the end.
public enum OwnSchema {
    /// What a server has under the name.
    public enum State: Sendable {
        /// Nothing.
        case absent
        /// What martlet has made, with a journal or without.
        case ours(hasJournal: Bool)
        /// A schema that is nothing of ours, and why we think so.
        case foreign(PostgresError)
    }

    /// Begins the comment on each schema that martlet has made.
    private static let mark = "martlet: "

    /// Makes the schema unless it is there; refuses one of a stranger.
    ///
    /// - Throws: a ``PostgresError`` when it is not ours, see ``state(on:)``.
    public static func make(on connection: Connection) throws(PostgresError) {
        guard try !exists(on: connection) else { return }
        try connection.execute(
            """
            CREATE SCHEMA martlet;
            COMMENT ON SCHEMA martlet IS \(literal: mark + "what a move needs; removed by martlet finish or martlet abort")
            """
        )
    }

    /// Takes back what default privileges have given others on it and on all in it; the owner's rights stay.
    ///
    /// May be repeated. To be called in the transaction that makes what is in it.
    public static func close(on connection: Connection) throws(PostgresError) {
        try connection.execute(EngineSQL.onlyOurs)
    }

    /// Whether the schema is there.
    ///
    /// - Throws: a ``PostgresError`` when it is not ours, see ``state(on:)``.
    public static func exists(on connection: Connection) throws(PostgresError) -> Bool {
        switch try state(on: connection) {
        case .absent: return false
        case .ours: return true
        case .foreign(let why): throw why
        }
    }

    /// Looks what is there.
    ///
    /// Who may create schemas in a database could make one of this name, with a journal in it whose statements a
    /// superuser would run. So it must belong to us, to the database's owner or to a superuser; who is no superuser
    /// may also have it from a role that he is a member of. And an application may have a schema of this name: only one
    /// with our comment is ours to drop.
    public static func state(on connection: Connection) throws(PostgresError) -> State {
        let row = try connection.query(
            """
            SELECT pg_get_userbyid(n.nspowner) AS owner, current_database() AS database,
                   o.rolsuper OR n.nspowner = d.datdba OR o.rolname IN (current_user, 'pg_database_owner')
                     OR NOT m.rolsuper AND pg_has_role(n.nspowner, 'USAGE') AS is_ours,
                   starts_with(coalesce(obj_description(n.oid, 'pg_namespace'), ''), $1) AS is_marked,
                   EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'migration') AS has_journal
              FROM pg_namespace n JOIN pg_database d ON d.datname = current_database()
              JOIN pg_roles o ON o.oid = n.nspowner JOIN pg_roles m ON m.rolname = current_user
             WHERE n.nspname = 'martlet'
            """,
            mark
        ).first
        guard let row else { return .absent }
        let owner: Identifier = try row("owner")
        let database: Identifier = try row("database")
        guard try row("is_ours", as: Bool.self) else {
            return .foreign(
                PostgresError(
                    "schema \"martlet\" of database \(database.quoted) belongs to role \(owner.quoted)",
                    detail:
                        "martlet runs statements that it finds in that schema, and role \(owner.quoted) is neither yours "
                        + "nor the database owner's nor a superuser's.",
                    hint: "If that role has run this move, connect as it. If nobody here knows of it: "
                        + "DROP SCHEMA martlet CASCADE"
                )
            )
        }
        guard try row("is_marked", as: Bool.self) else {
            return .foreign(
                PostgresError(
                    "schema \"martlet\" of database \(database.quoted) is not martlet's",
                    detail: "martlet keeps what a move needs in a schema of that name, and drops it in the end.",
                    hint: "Give it another name: ALTER SCHEMA martlet RENAME TO martlet_of_ours"
                )
            )
        }
        return .ours(hasJournal: try row("has_journal"))
    }
}
