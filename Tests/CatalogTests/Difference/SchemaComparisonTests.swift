import Catalog
import Postgres
import TestSupport
import Testing

/// Makes one change on one of two equal databases, and looks whether it is seen, and nothing else.
struct SchemaComparisonTests {
    /// A change, and what is to be seen of it.
    struct Change: Sendable, CustomTestStringConvertible {
        let base: SQL
        let change: SQL
        let found: [String]
        /// Whether the remedies that are printed bring the target back in line.
        let isMended: Bool
        var testDescription: String { change.text }

        init(_ base: SQL, _ change: SQL, _ found: String..., mended: Bool = false) {
            self.base = base
            self.change = change
            self.found = found
            isMended = mended
        }
    }

    static func compare(_ source: ConnectionString, _ target: ConnectionString) async throws -> [SchemaDifference] {
        try await withNeutralConnection(to: source, encoding: "UTF8") { source in
            try await withNeutralConnection(to: target, encoding: "UTF8") { target in
                var comparison = SchemaComparison(source: source, target: target)
                return try await comparison.run().map(\.difference)
            }
        }
    }

    static func text(_ difference: SchemaDifference) -> String {
        let what = difference.property ?? difference.presence.rawValue
        return "\(difference.kind) \(difference.name): \(what)"
    }

    /// The change is made on the target; what it takes away is only on the source.
    private func check(_ change: Change, source: Int? = nil, target: Int? = nil) async throws {
        try await withDatabasePair(source: source, target: target) { pair in
            try await execute(pair.source, change.base)
            try await execute(pair.target, change.base)
            #expect(try await Self.compare(pair.source, pair.target).map(Self.text) == [])
            try await execute(pair.target, change.change)
            let found = try await Self.compare(pair.source, pair.target)
            #expect(found.map(Self.text) == change.found)
            guard change.isMended else { return }
            for statement in found.flatMap(\.remedy) { try await execute(pair.target, SQL(trusting: statement)) }
            #expect(try await Self.compare(pair.source, pair.target).map(Self.text) == [])
        }
    }

    static let relations: [Change] = [
        Change("CREATE SCHEMA s", "DROP SCHEMA s", "schema s: onlyInSource", mended: true),
        Change("CREATE SCHEMA s", "COMMENT ON SCHEMA s IS 'x'", "schema s: comment", mended: true),
        Change(
            "",
            "GRANT USAGE ON SCHEMA public TO pg_monitor WITH GRANT OPTION",
            "schema public: privileges of pg_monitor",
            mended: true
        ),
        Change("CREATE TABLE t (a int PRIMARY KEY)", "DROP TABLE t", "table public.t: onlyInSource"),
        Change(
            "",
            "CREATE TABLE t (a serial PRIMARY KEY)",
            "table public.t: onlyInTarget",
            "sequence public.t_a_seq: onlyInTarget"
        ),
        Change("CREATE TABLE t (a int)", "ALTER TABLE t OWNER TO pg_monitor", "table public.t: owner", mended: true),
        Change(
            "CREATE TABLE t (a int); GRANT SELECT, UPDATE ON t TO pg_monitor WITH GRANT OPTION",
            "REVOKE UPDATE ON t FROM pg_monitor; REVOKE GRANT OPTION FOR SELECT ON t FROM pg_monitor",
            "table public.t: privileges of pg_monitor",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int); GRANT SELECT (a) ON t TO pg_monitor",
            "REVOKE SELECT (a) ON t FROM pg_monitor",
            "column public.t.a: privileges of pg_monitor",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int)",
            "COMMENT ON COLUMN t.a IS 'it''s \\'; COMMENT ON TABLE t IS 'x'",
            "column public.t.a: comment",
            "table public.t: comment",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int)",
            "ALTER TABLE t SET (fillfactor = 50), SET UNLOGGED, ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, REPLICA IDENTITY FULL",
            "table public.t: forced row security",
            "table public.t: options",
            "table public.t: persistence",
            "table public.t: replica identity",
            "table public.t: row security"
        ),
        Change(
            "CREATE TABLE t (a text) WITH (toast.autovacuum_enabled = off)",
            "ALTER TABLE t RESET (toast.autovacuum_enabled)",
            "table public.t: TOAST options"
        ),
        Change(
            "CREATE TABLE t (a text, b int NOT NULL DEFAULT 1)",
            "ALTER TABLE t ALTER a SET NOT NULL, ALTER a SET DEFAULT 'x', ALTER a SET STORAGE PLAIN, ALTER a SET STATISTICS 9, ALTER a SET (n_distinct = 2), ALTER a SET COMPRESSION pglz, ALTER b DROP NOT NULL, ALTER b DROP DEFAULT",
            "column public.t.a: compression",
            "column public.t.a: default",
            "column public.t.a: not null",
            "column public.t.a: options",
            "column public.t.a: statistics",
            "column public.t.a: storage",
            "column public.t.b: default",
            "column public.t.b: not null"
        ),
        Change(
            "CREATE TABLE t (a text DEFAULT 'x' NOT NULL)",
            "ALTER TABLE t ALTER a DROP DEFAULT, ALTER a DROP NOT NULL, ALTER a SET STATISTICS 5",
            "column public.t.a: default",
            "column public.t.a: not null",
            "column public.t.a: statistics",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int)",
            "ALTER TABLE t ALTER a TYPE bigint, ADD b text COLLATE \"C\"",
            "column public.t.a: type",
            "column public.t.b: onlyInTarget"
        ),
        Change(
            "CREATE TABLE t (a int, b int)",
            "ALTER TABLE t DROP a, ADD a int",
            "column public.t.a: position",
            "column public.t.b: position"
        ),
        Change(
            "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, b int GENERATED ALWAYS AS (1) STORED)",
            "ALTER TABLE t ALTER a SET GENERATED BY DEFAULT, ALTER b DROP EXPRESSION",
            "column public.t.a: identity",
            "column public.t.b: generated"
        ),
        Change(
            "CREATE TABLE u (a int PRIMARY KEY); CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0), b int CONSTRAINT d REFERENCES u)",
            "ALTER TABLE t DROP CONSTRAINT c, DROP CONSTRAINT d",
            "constraint c on public.t: onlyInSource",
            "constraint d on public.t: onlyInSource",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
            "ALTER TABLE t VALIDATE CONSTRAINT c; COMMENT ON CONSTRAINT c ON t IS 'x'",
            "constraint c on public.t: definition",
            "constraint c on public.t: comment"
        ),
        Change(
            "CREATE TABLE t (a int, b text); CREATE INDEX i ON t (lower(b)) WHERE a > 0",
            "DROP INDEX i",
            "index public.i: onlyInSource",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int, b text); CREATE INDEX i ON t (lower(b))",
            "ALTER TABLE t CLUSTER ON i; ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 3; ALTER INDEX i SET (fillfactor = 40)",
            "index public.i: cluster",
            "index public.i: definition",
            "index public.i: statistics"
        ),
        Change(
            "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (9)",
            "ALTER TABLE t DETACH PARTITION p",
            "table public.p: parents",
            "table public.p: partition bound"
        ),
        Change(
            "CREATE TABLE x (a int); CREATE TABLE y (b int); CREATE TABLE t (c int) INHERITS (x, y)",
            "ALTER TABLE t NO INHERIT x; ALTER TABLE t INHERIT x",
            "table public.t: parents",
            "column public.t.a: inherited only"
        ),
        Change(
            "CREATE SEQUENCE s",
            "ALTER SEQUENCE s INCREMENT 2 CACHE 7 CYCLE MAXVALUE 99; SELECT nextval('s')",
            "sequence public.s: cache",
            "sequence public.s: cycle",
            "sequence public.s: increment",
            "sequence public.s: maximum",
            "sequence public.s: position"
        ),
        Change(
            "CREATE TABLE t (a serial)",
            "ALTER SEQUENCE t_a_seq OWNED BY NONE",
            "sequence public.t_a_seq: owned by"
        ),
    ]

    @Test(arguments: relations) func `a change of a relation is seen`(change: Change) async throws {
        try await check(change)
    }

    private static let touch: SQL =
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (a int); "

    static let programs: [Change] = [
        Change("CREATE VIEW v AS SELECT 1 AS a", "DROP VIEW v", "view public.v: onlyInSource", mended: true),
        Change(
            "CREATE VIEW v AS SELECT 1 AS a",
            "CREATE OR REPLACE VIEW v WITH (security_barrier) AS SELECT 2 AS a",
            "view public.v: definition",
            "view public.v: options"
        ),
        Change(
            "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a",
            "REFRESH MATERIALIZED VIEW v WITH NO DATA",
            "materialized view public.v: populated",
            mended: true
        ),
        Change(
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION f(int)",
            "function public.f(integer): onlyInSource",
            mended: true
        ),
        Change(
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER FUNCTION f STABLE SET work_mem = '1MB'; COMMENT ON FUNCTION f IS 'x'; ALTER FUNCTION f OWNER TO pg_monitor; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC",
            "function public.f(integer): definition",
            "function public.f(integer): owner",
            "function public.f(integer): privileges of PUBLIC",
            "function public.f(integer): comment"
        ),
        Change(
            "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
            "DROP PROCEDURE p",
            "procedure public.p(): onlyInSource",
            mended: true
        ),
        Change(
            "CREATE AGGREGATE g(int) (sfunc = int4pl, stype = int)",
            "CREATE OR REPLACE AGGREGATE g(int) (sfunc = int4pl, stype = int, initcond = 5)",
            "aggregate public.g(integer): initial"
        ),
        Change(
            touch + "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "DROP TRIGGER x ON t",
            "trigger x on public.t: onlyInSource",
            mended: true
        ),
        Change(
            touch + "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "ALTER TABLE t DISABLE TRIGGER x; COMMENT ON TRIGGER x ON t IS 'y'",
            "trigger x on public.t: enabled",
            "trigger x on public.t: comment",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF t DEFAULT; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "ALTER TABLE p DISABLE TRIGGER x",
            "trigger x on public.p: onlyInTarget"
        ),
        Change(
            "CREATE TABLE t (a int); CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING",
            "DROP RULE r ON t",
            "rule r on public.t: onlyInSource",
            mended: true
        ),
        Change(
            "CREATE TABLE t (a int); CREATE POLICY p ON t USING (a > 0)",
            "ALTER POLICY p ON t TO pg_monitor USING (a > 1)",
            "policy p on public.t: roles",
            "policy p on public.t: using"
        ),
        Change("CREATE TYPE e AS ENUM ('a', 'b')", "ALTER TYPE e ADD VALUE 'c' BEFORE 'b'", "type public.e: labels"),
        Change(
            "CREATE DOMAIN d AS int CONSTRAINT c CHECK (VALUE > 0)",
            "ALTER DOMAIN d DROP CONSTRAINT c; ALTER DOMAIN d SET NOT NULL; ALTER DOMAIN d SET DEFAULT 4",
            "type public.d: default",
            "type public.d: not null",
            "domain constraint c on public.d: onlyInSource"
        ),
        Change(
            "CREATE TYPE c AS (a int)",
            "ALTER TYPE c ADD ATTRIBUTE b text; GRANT USAGE ON TYPE c TO pg_monitor",
            "column public.c.b: onlyInTarget",
            "type public.c: privileges of pg_monitor"
        ),
        Change(
            "CREATE TYPE r AS RANGE (subtype = float8)",
            "DROP TYPE r; CREATE TYPE r AS RANGE (subtype = float8, subtype_diff = float8mi)",
            "type public.r: difference"
        ),
    ]

    @Test(arguments: programs) func `a change of a view, a program or a type is seen`(change: Change) async throws {
        try await check(change)
    }

    static let others: [Change] = [
        Change(
            "CREATE TYPE c AS (a int); CREATE FUNCTION f(c) RETURNS text LANGUAGE sql AS 'SELECT $1.a::text'; CREATE CAST (c AS text) WITH FUNCTION f(c)",
            "DROP CAST (c AS text)",
            "cast (public.c AS pg_catalog.text): onlyInSource"
        ),
        Change(
            "CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR === (FUNCTION = f, LEFTARG = int, RIGHTARG = int)",
            "ALTER OPERATOR === (int, int) SET (RESTRICT = eqsel)",
            "operator public.===(integer,integer): restrict"
        ),
        Change(
            "CREATE OPERATOR FAMILY o USING btree",
            "ALTER OPERATOR FAMILY o USING btree ADD FUNCTION 1 btint4cmp(int, int)",
            "operator family public.o USING btree: functions"
        ),
        Change(
            "CREATE OPERATOR CLASS o FOR TYPE int USING btree AS FUNCTION 1 btint4cmp(int, int)",
            "DROP OPERATOR FAMILY o USING btree",
            "operator class public.o USING btree: onlyInSource",
            "operator family public.o USING btree: onlyInSource"
        ),
        Change(
            "CREATE COLLATION l (locale = 'C')",
            "DROP COLLATION l; CREATE COLLATION l (locale = 'POSIX')",
            "collation public.l: character classification",
            "collation public.l: collation"
        ),
        Change(
            "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
            "DROP CONVERSION c",
            "conversion public.c: onlyInSource"
        ),
        Change(
            "CREATE TEXT SEARCH CONFIGURATION c (COPY = english); CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)",
            "ALTER TEXT SEARCH CONFIGURATION c DROP MAPPING FOR int; ALTER TEXT SEARCH DICTIONARY d (ACCEPT = false)",
            "text search configuration public.c: mappings",
            "text search dictionary public.d: options"
        ),
        Change(
            "CREATE TABLE t (a int, b int); CREATE STATISTICS s ON a, b FROM t",
            "ALTER STATISTICS s SET STATISTICS 4; COMMENT ON STATISTICS s IS 'x'",
            "statistics object public.s: target",
            "statistics object public.s: comment"
        ),
        Change(
            "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION f()",
            "ALTER EVENT TRIGGER e DISABLE",
            "event trigger e: enabled"
        ),
        Change(
            "CREATE TABLE t (a int, b int); CREATE TABLE u (a int); CREATE PUBLICATION p FOR TABLE t, u",
            "ALTER PUBLICATION p DROP TABLE u; ALTER PUBLICATION p SET (publish = 'insert')",
            "publication p: publish",
            "publication relation public.u in publication p: onlyInSource"
        ),
        Change(
            "CREATE TABLE t (a int, b int); CREATE PUBLICATION p FOR TABLE t",
            "ALTER PUBLICATION p SET TABLE t (a) WHERE (a > 0)",
            "publication relation public.t in publication p: columns",
            "publication relation public.t in publication p: filter"
        ),
        Change(
            "CREATE PUBLICATION p",
            "ALTER PUBLICATION p ADD TABLES IN SCHEMA public",
            "publication namespace public in publication p: onlyInTarget"
        ),
        Change("", "CREATE PUBLICATION martlet_abc; CREATE SCHEMA martlet; CREATE TABLE martlet.t (a int)"),
        Change(
            "",
            """
            DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''3MB''', current_database());
            EXECUTE format('COMMENT ON DATABASE %I IS ''x''', current_database()); END $$
            """,
            "database setting work_mem: onlyInTarget",
            "database : comment",
            mended: false
        ),
        Change("CREATE EXTENSION pg_trgm", "DROP EXTENSION pg_trgm", "extension pg_trgm: onlyInSource", mended: true),
        Change(
            "CREATE EXTENSION pg_trgm VERSION '1.5'",
            "ALTER EXTENSION pg_trgm UPDATE",
            "extension pg_trgm: version"
        ),
        Change(
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'secret')",
            "ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET password 'other'); ALTER SERVER s OPTIONS (a 'b'); GRANT USAGE ON FOREIGN SERVER s TO pg_monitor",
            "server s: options",
            "user mapping public on server s: options",
            "server s: privileges of pg_monitor"
        ),
        Change(
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE t (a int OPTIONS (x '1')) SERVER s OPTIONS (y '2')",
            "ALTER FOREIGN TABLE t OPTIONS (SET y '3'); ALTER FOREIGN TABLE t ALTER a OPTIONS (SET x '4')",
            "foreign table public.t: server options",
            "column public.t.a: server options"
        ),
        Change(
            "",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor",
            "default privileges for role postgres in schema public on tables: privileges of pg_monitor"
        ),
        Change(
            "SELECT lo_create(99)",
            "ALTER LARGE OBJECT 99 OWNER TO pg_monitor; COMMENT ON LARGE OBJECT 99 IS 'x'; GRANT SELECT ON LARGE OBJECT 99 TO PUBLIC",
            "large object 99: owner",
            "large object 99: privileges of PUBLIC",
            "large object 99: comment"
        ),
        Change("CREATE TEMPORARY TABLE t (a int)", "CREATE TEMPORARY TABLE t (b int)"),
    ]

    @Test(arguments: others) func `a change of any other object is seen`(change: Change) async throws {
        try await check(change)
    }

    @Test(.databasePair) func `subscriptions are told, and their connection strings are not`() async throws {
        let pair = DatabasePair.current
        let connect: SQL =
            "CONNECTION 'host=nowhere password=secret' PUBLICATION p WITH (connect = false, slot_name = NONE)"
        try await execute(pair.source, "CREATE SUBSCRIPTION \(Identifier(pair.source["dbname"] ?? "s")) \(connect)")
        var found: [SchemaDifference] = []
        var failure: (any Error)?
        do { found = try await Self.compare(pair.source, pair.target) } catch { failure = error }
        try await execute(pair.source, "DROP SUBSCRIPTION \(Identifier(pair.source["dbname"] ?? "s"))")
        #expect(failure == nil)
        #expect(found.map(\.presence) == [.onlyInSource])
        #expect(found.map(\.kind) == ["subscription"])
        #expect(!found.contains { "\($0)".contains("secret") })
    }
}
