public import Postgres

/// A database that a seed decides: every kind of table that PostgreSQL has, with rows.
///
/// Equal seeds and features make equal statements. Every statement must succeed; when some are left out, those that
/// need them fail, and the rest still makes a database.
public struct RandomSchema: Sendable {
    /// What it was made from.
    public let seed: UInt64
    /// The statements, one after the other, each on its own.
    public let statements: [SQL]
    let tables: [RandomTable]
    let sequences: [QualifiedName]

    /// Makes the statements of a seed.
    public init(seed: UInt64, features: RandomFeatures) {
        self.seed = seed
        var builder = RandomSchemaBuilder(seed: seed, features: features)
        builder.build()
        statements = builder.statements
        tables = builder.tables
        sequences = builder.sequences
    }

    /// Makes the database; a tolerant call goes on when a statement fails, because others that it needs were left out.
    public static func make(_ statements: [SQL], in database: ConnectionString, isTolerant: Bool = false) async throws {
        try await withConnection(to: database, application: "random schema") { connection in
            try connection.execute("SET client_min_messages = error; SET synchronous_commit = off")
            for statement in statements {
                do {
                    try connection.execute(statement)
                } catch let error as PostgresError where !isTolerant {
                    throw error.explained(as: "the random schema is wrong: \(error.message)", hint: statement.text)
                } catch is PostgresError {
                    continue
                }
            }
        }
    }
}

/// Makes the statements of a random schema.
struct RandomSchemaBuilder {
    let features: RandomFeatures
    var random: SeededGenerator
    var statements: [SQL] = []
    var tables: [RandomTable] = []
    var sequences: [QualifiedName] = []
    var schemas: [Identifier] = ["public"]
    var types: [RandomType]
    var names: [Identifier: HostileNames] = [:]
    var schemaNames = HostileNames()
    var databaseNames = HostileNames()
    /// Functions that take no argument and can be a default; names of ones that take an int and are immutable.
    var immutables: [QualifiedName] = []
    var triggerFunctions: [QualifiedName] = []
    var collations: [SQL] = ["\"C\"", "pg_catalog.\"POSIX\""]
    var views: [QualifiedName] = []

    init(seed: UInt64, features: RandomFeatures) {
        self.features = features
        random = SeededGenerator(seed: seed)
        types = RandomType.builtIn(major: features.major)
    }

    mutating func build() {
        makeSchemas()
        makeTypes()
        makeFunctions()
        makeSequences()
        for _ in 0..<random.int(3...8) { makeTable() }
        if random.chance(80) { for _ in 0..<random.int(1...2) { makePartitioned() } }
        if random.chance(50) { makeInheritance() }
        if random.chance(25) { makeOddTables() }
        makeIndexes()
        makeRows()
        makeReferences()
        makeObjects()
        makeBloat()
    }

    mutating func add(_ statement: SQL) { statements.append(statement) }

    /// A new name of a relation, a type or another object of a schema.
    mutating func newName(_ stem: String, in schema: Identifier? = nil) -> QualifiedName {
        let schema = schema ?? random.pick(schemas)
        let name = names[schema, default: HostileNames()].name(stem, &random)
        return QualifiedName(schema: schema.name, name: name.name)
    }

    private mutating func makeSchemas() {
        add("SET search_path = ''")
        for _ in 0..<random.int(1...3) {
            var name = schemaNames.name("schema", &random, hostility: 70)
            // Theirs, or there already.
            if ["public", "martlet", "pg_class"].contains(name) {
                name = schemaNames.name("schema", &random, hostility: 0)
            }
            schemas.append(name)
            add("CREATE SCHEMA \(name)")
            if random.chance(20) { add("ALTER DEFAULT PRIVILEGES IN SCHEMA \(name) GRANT SELECT ON TABLES TO PUBLIC") }
            if random.chance(20) { add("GRANT USAGE, CREATE ON SCHEMA \(name) TO pg_monitor WITH GRANT OPTION") }
            if random.chance(20) { add("COMMENT ON SCHEMA \(name) IS \(literal: comment)") }
        }
    }

    /// A comment that is easy to get wrong.
    var comment: String { "it's a \"comment\"; -- of two\nlines \\ 🦤 $$" }

    private mutating func makeFunctions() {
        for _ in 0..<random.int(1...2) {
            let name = newName("f")
            immutables.append(name)
            let body: SQL =
                random.chance(50) && features.major >= 14
                ? "LANGUAGE sql IMMUTABLE RETURN coalesce(n, 0) % 100"
                : "LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN coalesce(n, 0) % 100; END'"
            add("CREATE FUNCTION \(name)(n int8) RETURNS int8 \(body)")
        }
        let trigger = newName("trigger_function")
        triggerFunctions.append(trigger)
        add("CREATE FUNCTION \(trigger)() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END $f$")
    }

    private mutating func makeSequences() {
        let shapes: [SQL] = [
            "", "INCREMENT BY -1", "CACHE 20", "AS smallint START 32760", "MINVALUE 1 MAXVALUE 9 CYCLE",
            "INCREMENT BY 7 START 100", "MINVALUE -9223372036854775808 START -5", "AS integer INCREMENT -3 MAXVALUE -1",
        ]
        for _ in 0..<random.int(1...4) {
            let name = newName("seq")
            sequences.append(name)
            add("CREATE SEQUENCE \(name) \(random.pick(shapes))")
            for _ in 0..<random.int(0...3) { add("SELECT nextval(\(literal: name.quoted)::regclass)") }
        }
    }
}
