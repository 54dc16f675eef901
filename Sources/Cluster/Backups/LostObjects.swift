import Catalog
import Postgres

/// What belongs to a table and went with it: what it consists of, its sequences and partitions, and what CASCADE took.
struct LostObjects {
    /// An object, as every server would name it.
    struct Object: Sendable, Hashable {
        let catalog: UInt32
        let oid: UInt32
        /// For people: `view public.totals`.
        let title: String
        /// As `pg_get_object_address` takes it.
        let type: String
        let names: [String]
        let arguments: [String]
        /// Whether people would name it, and not only the object that it is a part of.
        let isNamed: Bool
    }

    /// A table, view or sequence among them.
    struct Relation: Sendable {
        let oid: UInt32
        /// `relkind` of pg_class.
        let kind: String
        let name: QualifiedName
        /// The table at the top of its partitions; itself when it is none.
        let root: UInt32
        /// Whether it is a materialized view that had rows, or no such view.
        let isPopulated: Bool
    }

    /// The OID of pg_class, which is that of every server.
    static let relationCatalog: UInt32 = 1259

    /// All of it.
    let objects: [Object]
    /// Those that are relations, by their OIDs.
    let relations: [UInt32: Relation]
    /// For what is a part of a relation, which one: an index, a check, a default, a trigger, a policy, a sequence of a column.
    private let owners: [Object: UInt32]

    /// Relations of a kind, in the order in which they were made.
    func relations(_ kinds: String...) -> [Relation] {
        relations.values.filter { kinds.contains($0.kind) }.sorted { $0.oid < $1.oid }
    }

    /// The relation that an object is, or is a part of.
    func owner(of object: Object) -> Relation? {
        if object.catalog == Self.relationCatalog, let own = relations[object.oid], own.kind != "S" { return own }
        return owners[object].flatMap { relations[$0] }
    }

    /// Reads it on a server where the table still is.
    init(of table: UInt32, on connection: Connection) throws(PostgresError) {
        let tree = try connection.query(
            "SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid::regclass) ORDER BY 1",
            table
        ).map { row throws(PostgresError) in try row("oid", as: UInt32.self) }
        var objects = try tree.map { oid throws(PostgresError) in
            try Self.object(Self.relationCatalog, oid, isNamed: true, on: connection)
        }
        let dependents = try Dependent.readAll(of: tree, connection)
        for dependent in dependents {
            objects.append(
                try Self.object(dependent.catalog, dependent.oid, isNamed: dependent.isNamed, on: connection)
            )
        }
        // Sequences of columns are no dependents: they could be made without them.
        let tables = objects.filter { $0.catalog == Self.relationCatalog }.map(\.oid)
        let known = Set(tables)
        let sequences = try connection.query(Self.ownedSequences, tables).map { row throws(PostgresError) in
            try row("oid", as: UInt32.self)
        }
        for oid in sequences where !known.contains(oid) {
            objects.append(try Self.object(Self.relationCatalog, oid, isNamed: true, on: connection))
        }
        self.objects = objects
        relations = try Self.relations(of: objects, connection)
        owners = try Self.owners(of: objects, connection)
    }

    private static let ownedSequences: SQL = """
        SELECT s.oid FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::oid[])
           AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') ORDER BY s.oid
        """

    private static func relations(
        of objects: [Object],
        _ connection: Connection
    ) throws(PostgresError) -> [UInt32: Relation] {
        let rows = try connection.query(
            """
            SELECT c.oid, c.relkind::text AS kind, n.nspname, c.relname, c.relispopulated AS populated,
                   coalesce(pg_partition_root(c.oid)::oid, c.oid) AS root
              FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
            """,
            objects.filter { $0.catalog == relationCatalog }.map(\.oid)
        )
        var relations: [UInt32: Relation] = [:]
        for row in rows {
            let oid: UInt32 = try row("oid")
            relations[oid] = Relation(
                oid: oid,
                kind: try row("kind"),
                name: QualifiedName(schema: try row("nspname"), name: try row("relname")),
                root: try row("root"),
                isPopulated: try row("populated")
            )
        }
        return relations
    }

    private static func owners(
        of objects: [Object],
        _ connection: Connection
    ) throws(PostgresError) -> [Object: UInt32] {
        let rows = try connection.query(
            """
            SELECT catalog::oid AS catalog, oid, owner FROM (
                SELECT 'pg_class'::regclass, indexrelid, indrelid FROM pg_index
                UNION ALL SELECT 'pg_constraint'::regclass, oid, conrelid FROM pg_constraint WHERE conrelid <> 0
                UNION ALL SELECT 'pg_attrdef'::regclass, oid, adrelid FROM pg_attrdef
                UNION ALL SELECT 'pg_trigger'::regclass, oid, tgrelid FROM pg_trigger
                UNION ALL SELECT 'pg_rewrite'::regclass, oid, ev_class FROM pg_rewrite
                UNION ALL SELECT 'pg_policy'::regclass, oid, polrelid FROM pg_policy
                UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxrelid FROM pg_statistic_ext
                UNION ALL SELECT 'pg_class'::regclass, d.objid, d.refobjid FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid
                           WHERE s.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                             AND d.deptype IN ('a', 'i')
                ) AS part (catalog, oid, owner)
             WHERE oid = ANY ($1::oid[])
            """,
            objects.map(\.oid)
        )
        var found: [[UInt32]: UInt32] = [:]
        for row in rows { found[[try row("catalog"), try row("oid")]] = try row("owner", as: UInt32.self) }
        var owners: [Object: UInt32] = [:]
        for object in objects { owners[object] = found[[object.catalog, object.oid]] }
        return owners
    }

    /// An object of a server, as every other would name it.
    static func object(
        _ catalog: UInt32,
        _ oid: UInt32,
        isNamed: Bool,
        on connection: Connection
    ) throws(PostgresError) -> Object {
        let row = try connection.query(
            """
            SELECT o.type || ' ' || o.identity AS title, a.type, a.object_names, a.object_args
              FROM pg_identify_object($1::oid, $2::oid, 0) AS o, pg_identify_object_as_address($1::oid, $2::oid, 0) AS a
            """,
            catalog,
            oid
        ).first
        return Object(
            catalog: catalog,
            oid: oid,
            title: try row?("title") ?? "",
            type: try row?("type") ?? "",
            names: try row?.optional("object_names") ?? [],
            arguments: try row?.optional("object_args") ?? [],
            isNamed: isNamed
        )
    }

    /// Those that another server does not have.
    func missing(on connection: Connection) throws(PostgresError) -> [Object] {
        var missing: [Object] = []
        for object in objects where try object.isMissing(on: connection) { missing.append(object) }
        return missing
    }
}

extension LostObjects.Object {
    /// Whether a server does not have it; tables of large values and the like have no address of their own, and count as there.
    func isMissing(on connection: Connection) throws(PostgresError) -> Bool {
        do throws(PostgresError) {
            try connection.query("SELECT pg_get_object_address($1, $2, $3)", type, names, arguments)
            return false
        } catch {
            if error.sqlState == "22023" { return false }
            // What is not there has many codes: of tables, objects, columns, schemas, functions.
            guard ["42P01", "42704", "42703", "3F000", "42883"].contains(error.sqlState ?? "") else { throw error }
            return true
        }
    }
}
