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

    /// The table and its partitions that hold rows.
    let tables: [QualifiedName]
    /// Sequences that columns of it own.
    let sequences: [QualifiedName]
    /// All of it.
    let objects: [Object]

    /// Reads it on a server where the table still is.
    init(of table: UInt32, on connection: Connection) throws(PostgresError) {
        let relations = try connection.query(
            """
            WITH tree AS (SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid::regclass))
            SELECT c.oid, c.relkind, n.nspname, c.relname
              FROM (SELECT oid FROM tree
                    UNION SELECT d.objid FROM tree AS t
                      JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
                       AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                      JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S') AS r
              JOIN pg_class AS c ON c.oid = r.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
             ORDER BY c.oid
            """,
            table
        )
        var (tables, sequences, own): ([QualifiedName], [QualifiedName], [UInt32]) = ([], [], [])
        var trees: [UInt32] = []
        for row in relations {
            let name = QualifiedName(schema: try row("nspname"), name: try row("relname"))
            let kind: String = try row("relkind")
            if kind == "S" { sequences.append(name) }
            if kind == "r" { tables.append(name) }
            if kind != "S" { trees.append(try row("oid")) }
            own.append(try row("oid"))
        }
        (self.tables, self.sequences) = (tables, sequences)
        let dependents = try Dependent.readAll(of: trees, connection)
        // The OID of pg_class is that of every server.
        var objects = try own.map { oid throws(PostgresError) in
            try Self.object(1259, oid, isNamed: true, on: connection)
        }
        for dependent in dependents {
            objects.append(
                try Self.object(dependent.catalog, dependent.oid, isNamed: dependent.isNamed, on: connection)
            )
        }
        self.objects = objects
    }

    private static func object(
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
        for object in objects {
            do throws(PostgresError) {
                try connection.query(
                    "SELECT pg_get_object_address($1, $2, $3)",
                    object.type,
                    object.names,
                    object.arguments
                )
            } catch  where error.sqlState == "22023" {
                // Tables of large values and the like have no address of their own, and come with what they belong to.
                continue
            } catch {
                // What is not there has many codes: of tables, objects, columns, schemas, functions.
                guard ["42P01", "42704", "42703", "3F000", "42883"].contains(error.sqlState ?? "") else { throw error }
                missing.append(object)
            }
        }
        return missing
    }
}
