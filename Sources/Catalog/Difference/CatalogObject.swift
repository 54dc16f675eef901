import Postgres

/// One object of a database, described without anything that is another one on another server.
struct CatalogObject {
    /// The OID of the catalog it is in.
    let catalog: UInt32
    /// The object's OID.
    let oid: UInt32
    /// The catalog's name and its own: how its parts name it.
    let handle: Identifier
    /// The handle of the object that it is a part of.
    let parent: Identifier?
    /// What kind of object it is.
    let kind: String
    /// Its name among those of its kind.
    let name: String
    /// What it is, as a JSON object of strings; equal ones have equal text.
    let properties: String

    init(_ row: Row) throws(PostgresError) {
        catalog = try row("catalog")
        oid = try row("oid")
        kind = try row("kind")
        name = try row("name")
        handle = Identifier(try row("class", as: String.self) + " " + name)
        parent = try row.optional("parent", as: String.self).map { Identifier($0) }
        properties = try row("properties")
    }
}

/// The objects of one kind in the order of their names' bytes in UTF-8, a few thousand at a time.
struct CatalogObjects {
    private let connection: Connection
    private var rows: Rows
    private var place = 0

    private static let portion = 5000

    /// Opens a cursor in the connection's transaction; one at a time.
    init(_ question: SQL, on connection: Connection) throws(PostgresError) {
        self.connection = connection
        try connection.execute(
            """
            DECLARE martlet_objects NO SCROLL CURSOR FOR
            SELECT o.catalog::oid AS catalog, o.catalog::text AS class, o.oid, o.parent, k.kind, o.name,
                   jsonb_strip_nulls(o.properties)::text AS properties
              FROM (\(question)
            ) AS o CROSS JOIN LATERAL (
                SELECT CASE WHEN o.kind LIKE '% column' THEN 'column'
                            WHEN o.kind LIKE '% constraint' AND o.kind <> 'domain constraint' THEN 'constraint'
                            ELSE o.kind END) AS k (kind)
             ORDER BY convert_to(k.kind, 'UTF8'), convert_to(o.name, 'UTF8')
            """
        )
        rows = try Self.fetch(on: connection)
    }

    private static func fetch(on connection: Connection) throws(PostgresError) -> Rows {
        try connection.query("FETCH \(portion) FROM martlet_objects")
    }

    /// The next object; nil after the last one.
    mutating func next() throws(PostgresError) -> CatalogObject? {
        if place == rows.count, rows.count == Self.portion {
            rows = try Self.fetch(on: connection)
            place = 0
        }
        guard place < rows.count else { return nil }
        defer { place += 1 }
        return try CatalogObject(rows[place])
    }

    /// Closes the cursor, so that another one can be opened.
    func close() throws(PostgresError) {
        try connection.execute("CLOSE martlet_objects")
    }
}
