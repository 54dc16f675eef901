import Catalog
import Postgres

/// What the application may do in schema `public`, which every database has from its beginning.
///
/// Until version 14 pg_dump writes neither its owner nor its comment, nor that everybody may create objects in it, which
/// was the default then; since version 15 nobody may unless somebody grants it.
struct PublicSchema {
    private let owner: SQL
    /// Whether it has the owner that nobody chose.
    let hasDefaultOwner: Bool
    private let isOurs: Bool
    private let isOpen: Bool
    private let comment: String

    /// Reads it; nil when the database has none.
    init?(_ connection: Connection) throws(PostgresError) {
        guard let row = try connection.query(MoveSQL.publicSchema).first else { return nil }
        // The server has quoted the name.
        owner = SQL(trusting: try row("owner"))
        hasDefaultOwner = try row("is_default_owner")
        isOurs = try row("is_ours")
        isOpen = try row("is_open")
        comment = try row("comment")
    }

    /// The statements that make the schema of a target as it is here, as far as the options have it.
    ///
    /// An owner that nobody chose stays the target's, and so does all of a schema that is not ours to change.
    func statements(_ target: PublicSchema, options: SchemaArchive.Options) -> [SQL] {
        guard target.isOurs else { return [] }
        var statements: [SQL] = []
        if options.keepsPrivileges, isOpen, !target.isOpen {
            statements.append("GRANT CREATE ON SCHEMA public TO PUBLIC")
        }
        if !comment.utf8.elementsEqual(target.comment.utf8) {
            statements.append("COMMENT ON SCHEMA public IS \(literal: comment)")
        }
        // The last one: it may take away our right to the others.
        if options.keepsOwners, !hasDefaultOwner, owner != target.owner {
            statements.append("ALTER SCHEMA public OWNER TO \(owner)")
        }
        return statements
    }
}
