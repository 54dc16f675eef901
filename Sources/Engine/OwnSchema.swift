public import Postgres

/// Schema `martlet` on either server: ours alone, because martlet runs statements that it reads there.
public enum OwnSchema {
    /// Makes the schema unless it is there; refuses one of a stranger.
    ///
    /// - Throws: a ``PostgresError`` when it belongs to a role that could make us run statements of its own.
    public static func make(on connection: Connection) throws(PostgresError) {
        guard try !exists(on: connection) else { return }
        try connection.execute("CREATE SCHEMA martlet")
    }

    /// Takes back what default privileges have given others on it and on all in it; the owner's rights stay.
    ///
    /// May be repeated. To be called in the transaction that makes what is in it.
    public static func close(on connection: Connection) throws(PostgresError) {
        try connection.execute(EngineSQL.onlyOurs)
    }

    /// Whether the schema is there.
    ///
    /// Who may create schemas in a database could make one of this name, with a journal in it whose statements a
    /// superuser would run. So it must belong to us, to the database's owner or to a superuser; who is no superuser
    /// may also have it from a role that he is a member of.
    ///
    /// - Throws: a ``PostgresError`` when it belongs to anybody else.
    public static func exists(on connection: Connection) throws(PostgresError) -> Bool {
        let row = try connection.query(
            """
            SELECT pg_get_userbyid(n.nspowner) AS owner, current_user AS me, current_database() AS database,
                   o.rolsuper OR n.nspowner = d.datdba OR o.rolname IN (current_user, 'pg_database_owner')
                     OR NOT m.rolsuper AND pg_has_role(n.nspowner, 'USAGE') AS is_ours
              FROM pg_namespace n JOIN pg_database d ON d.datname = current_database()
              JOIN pg_roles o ON o.oid = n.nspowner JOIN pg_roles m ON m.rolname = current_user
             WHERE n.nspname = 'martlet'
            """
        ).first
        guard let row else { return false }
        guard try row("is_ours", as: Bool.self) else {
            let owner: Identifier = try row("owner")
            let database: Identifier = try row("database")
            throw PostgresError(
                "schema \"martlet\" of database \(database.quoted) belongs to role \(owner.quoted)",
                detail:
                    "martlet runs statements that it finds in that schema, and role \(owner.quoted) is neither yours "
                    + "nor the database owner's nor a superuser's.",
                hint:
                    "If that role has run this move, connect as it. If nobody here knows of it: DROP SCHEMA martlet CASCADE"
            )
        }
        return true
    }
}
