public import Postgres

extension Journal {
    /// Something that martlet made or changed on a server, with the statement that takes it back.
    public struct Object: Sendable, Hashable {
        /// The server it is on.
        public let side: Side
        /// What it is, such as `slot`, `publication`, `replica identity` or `fence`.
        public let kind: String
        /// Its name.
        public let name: String
        /// Takes it back; may be run twice, and when the thing was never made.
        public let undo: SQL

        /// Describes an object.
        public init(side: Side, kind: String, name: String, undo: SQL) {
            self.side = side
            self.kind = kind
            self.name = name
            self.undo = undo
        }
    }

    /// Writes down an object before it is made.
    ///
    /// Writing it down again changes nothing.
    public static func note(_ object: Object, on connection: Connection) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO martlet.object (side, kind, name, undo) VALUES ($1, $2, $3, $4)
            ON CONFLICT (side, kind, name) DO UPDATE SET removed = NULL, undo = excluded.undo
            """,
            object.side.rawValue,
            object.kind,
            object.name,
            object.undo.text
        )
    }

    /// The objects that may still be there, the newest first: the order in which to take them back.
    ///
    /// Only these `kinds`; nil is all.
    public static func objects(
        kinds: [String]? = nil,
        on connection: Connection
    ) throws(PostgresError) -> [Object] {
        let rows = try connection.query(
            """
            SELECT side, kind, name, undo FROM martlet.object
             WHERE removed IS NULL AND ($1::text[] IS NULL OR kind = ANY ($1::text[])) ORDER BY id DESC
            """,
            kinds
        )
        return try rows.map { row throws(PostgresError) in
            Object(
                side: Side(rawValue: try row("side")) ?? .target,
                kind: try row("kind"),
                name: try row("name"),
                undo: SQL(trusting: try row("undo"))
            )
        }
    }

    /// Notes that an object is gone.
    public static func noteRemoved(_ object: Object, on connection: Connection) throws(PostgresError) {
        try connection.query(
            "UPDATE martlet.object SET removed = now() WHERE side = $1 AND kind = $2 AND name = $3",
            object.side.rawValue,
            object.kind,
            object.name
        )
    }
}
