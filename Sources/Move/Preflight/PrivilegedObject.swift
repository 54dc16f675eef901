import Postgres

/// An object of the source that only a superuser can make, or whom the provider of a managed server lets do it.
struct PrivilegedObject: Sendable, Hashable {
    /// What has to be allowed: making this kind of object with this particular.
    struct Need: Sendable, Hashable {
        let kind: Kind
        /// The language, parameter, wrapper, provider or pair of types that the right is about.
        let detail: String
        /// The extension that brings the language or the wrapper, and may not be there yet.
        let requiredExtension: String?
    }

    /// The kinds, by the words for them.
    enum Kind: String, Sendable, CaseIterable {
        case eventTrigger = "event trigger"
        case publicationOfAll = "publication of all tables"
        case publicationOfSchema = "publication of a schema"
        case function = "function"
        case leakproof = "leakproof function"
        case parameterFunction = "function that sets a parameter"
        case baseType = "base type"
        case operatorFamily = "operator family"
        case wrapper = "foreign-data wrapper"
        case server = "foreign server"
        case language = "language"
        case binaryCast = "cast without a function"
        case cast = "cast"
        case template = "text search template"
        case parser = "text search parser"
        case accessMethod = "access method"
        case label = "security label"
        case grant = "grant by another than the owner"
        case privilege = "privilege on an object of the system or of an extension"

        /// The word for some of them.
        var plural: String {
            switch self {
            case .publicationOfAll: "publications of all tables"
            case .publicationOfSchema: "publications of schemas"
            case .parameterFunction: "functions that set a parameter"
            case .operatorFamily: "operator families"
            case .binaryCast: "casts without a function"
            default: rawValue + "s"
            }
        }

        /// Whether a move goes on without objects of this kind: nothing that holds rows, and nothing that is asked, needs them.
        var canBeLeftOut: Bool {
            switch self {
            case .eventTrigger, .publicationOfAll, .publicationOfSchema, .label, .grant, .privilege: true
            default: false
            }
        }
    }

    let need: Need
    let name: String
    let catalog: UInt32
    let oid: UInt32

    /// Reads those of a database, whoever has made them.
    static func readAll(_ connection: Connection) throws(PostgresError) -> [PrivilegedObject] {
        var objects: [PrivilegedObject] = []
        for row in try connection.query(PreflightSQL.privileged) {
            guard let kind = Kind(rawValue: try row("kind")) else { continue }
            objects.append(
                PrivilegedObject(
                    need: Need(
                        kind: kind,
                        detail: try row("detail"),
                        requiredExtension: try row.optional("extension")
                    ),
                    name: try row("name"),
                    catalog: try row("catalog"),
                    oid: try row("oid")
                )
            )
        }
        return objects
    }
}

extension PrivilegedObject.Need {
    /// Needs exactly the right that is asked about; in schema `martlet_preflight`.
    private var attempt: SQL? {
        let name = Identifier(detail)
        return switch kind {
        case .eventTrigger:
            """
            CREATE FUNCTION martlet_preflight.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
            CREATE EVENT TRIGGER martlet_preflight ON ddl_command_end EXECUTE FUNCTION martlet_preflight.f()
            """
        case .publicationOfAll: "CREATE PUBLICATION martlet_preflight FOR ALL TABLES"
        case .publicationOfSchema: "CREATE PUBLICATION martlet_preflight FOR TABLES IN SCHEMA martlet_preflight"
        case .function:
            "CREATE FUNCTION martlet_preflight.f() RETURNS int LANGUAGE \(name) AS 'martlet_preflight'"
        case .leakproof:
            "CREATE FUNCTION martlet_preflight.f() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'"
        case .parameterFunction:
            "CREATE FUNCTION martlet_preflight.f() RETURNS int LANGUAGE sql SET \(name) FROM CURRENT AS 'SELECT 1'"
        case .baseType: "CREATE TYPE martlet_preflight.t (INPUT = int4in, OUTPUT = int4out)"
        case .operatorFamily: "CREATE OPERATOR FAMILY martlet_preflight.f USING btree"
        case .wrapper: "CREATE FOREIGN DATA WRAPPER martlet_preflight"
        case .server: "CREATE SERVER martlet_preflight FOREIGN DATA WRAPPER \(name)"
        case .language: "CREATE LANGUAGE martlet_preflight HANDLER plpgsql_call_handler"
        case .binaryCast:
            """
            CREATE TYPE martlet_preflight.a AS ENUM (); CREATE TYPE martlet_preflight.b AS ENUM ();
            CREATE CAST (martlet_preflight.a AS martlet_preflight.b) WITHOUT FUNCTION
            """
        // The server has written the types' names.
        case .cast: "CREATE CAST (\(SQL(trusting: detail))) WITH INOUT"
        case .template: "CREATE TEXT SEARCH TEMPLATE martlet_preflight.t (LEXIZE = dsimple_lexize)"
        case .parser:
            """
            CREATE TEXT SEARCH PARSER martlet_preflight.p (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end,
                LEXTYPES = prsd_lextype)
            """
        case .accessMethod: "CREATE ACCESS METHOD martlet_preflight TYPE INDEX HANDLER bthandler"
        case .label: "SECURITY LABEL FOR \(name) ON SCHEMA martlet_preflight IS NULL"
        case .grant: "SET LOCAL SESSION AUTHORIZATION pg_monitor"
        case .privilege: nil
        }
    }

    /// Tries it, and takes it back; returns why not.
    ///
    /// Privileges on what belongs to somebody else are never ours to give. To be called in a transaction.
    fileprivate func denial(on connection: Connection) throws(PostgresError) -> PostgresError? {
        guard let attempt else { return PostgresError("what they are on belongs to somebody else", sqlState: "42501") }
        let bring: SQL = requiredExtension.map { "CREATE EXTENSION IF NOT EXISTS \(Identifier($0)) CASCADE;" } ?? ""
        let denial = try Probe.denial(of: "CREATE SCHEMA martlet_preflight; \(bring) \(attempt)", on: connection)
        // Whatever else fails is about the trial, not about a right.
        guard kind != .label else { return denial }
        return denial?.sqlState == "42501" ? denial : nil
    }

    /// Tries each of them in one transaction that is rolled back; what is missing from the answer is allowed.
    static func denials(
        of needs: Set<Self>,
        on connection: Connection
    ) throws(PostgresError) -> [Self: PostgresError] {
        guard !needs.isEmpty else { return [:] }
        var denials: [Self: PostgresError] = [:]
        try connection.execute("BEGIN READ WRITE; SET LOCAL lock_timeout = '2s'; SET LOCAL client_min_messages = error")
        for need in needs { denials[need] = try need.denial(on: connection) }
        try connection.execute("ROLLBACK")
        return denials
    }
}
