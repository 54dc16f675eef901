import Foundation
import Postgres
import TestSupport
import Testing

/// Databases with what only a superuser makes, moved by roles that are none.
@Suite(.timeLimit(.minutes(10)))
struct ManagedSchemaTests {
    private static let ann: Identifier = #"a'nn "x""#

    /// Made by the source's superuser.
    private static let superuserObjects: SQL = #"""
        CREATE FUNCTION evt() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        ALTER FUNCTION evt OWNER TO \#(ManagedMove.role);
        CREATE EVENT TRIGGER "e'vt" ON ddl_command_end EXECUTE FUNCTION evt();
        ALTER EVENT TRIGGER "e'vt" DISABLE;
        CREATE PUBLICATION "every'thing" FOR ALL TABLES WITH (publish = 'insert');
        CREATE EXTENSION pg_trgm; COMMENT ON EXTENSION pg_trgm IS 'its own';
        CREATE EXTENSION pg_stat_statements;
        GRANT EXECUTE ON FUNCTION pg_stat_statements_reset, pg_catalog.pg_ls_dir(text) TO \#(ann);
        GRANT USAGE ON SCHEMA app TO bob; GRANT SELECT ON app.a TO bob WITH GRANT OPTION;
        SET SESSION AUTHORIZATION bob;
        GRANT SELECT ON app.a TO pg_monitor;
        RESET SESSION AUTHORIZATION
        """#

    private static func definitions(_ role: Identifier) -> SQL {
        #"""
        CREATE SCHEMA app; GRANT CREATE, USAGE ON SCHEMA app TO \#(ann);
        ALTER DEFAULT PRIVILEGES FOR ROLE \#(ann) GRANT SELECT ON TABLES TO pg_monitor;
        CREATE TABLE app.a (id int PRIMARY KEY, n int); INSERT INTO app.a SELECT i, 0 FROM generate_series(1, 9) i;
        CREATE TABLE public.b (id int PRIMARY KEY);
        CREATE TABLE app.c (id int PRIMARY KEY, "o'f" int REFERENCES app.a, number int REFERENCES public.b) PARTITION BY RANGE (id);
        CREATE TABLE app.c1 PARTITION OF app.c DEFAULT;
        CREATE FUNCTION app.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER "f'ire" AFTER INSERT ON app.a FOR EACH ROW EXECUTE FUNCTION app.fire();
        CREATE FUNCTION app.quotes() RETURNS text LANGUAGE sql AS $$ SELECT '
        SET SESSION AUTHORIZATION nobody;
        ' $$;
        ALTER TABLE app.a OWNER TO \#(ann); ALTER TABLE b OWNER TO \#(ann);
        CREATE PUBLICATION one FOR TABLE app.a;
        GRANT SELECT ON app.a TO \#(role) WITH GRANT OPTION
        """#
    }

    /// The grants that a provider's admin has from the beginning.
    private static func rights(_ role: Identifier) -> (source: SQL, target: SQL) {
        let member: SQL = "CREATE ROLE bob; CREATE ROLE \(ann); GRANT \(ann) TO \(role)"
        return ("\(member); GRANT CREATE ON SCHEMA public TO \(ann)", "\(member); CREATE EXTENSION pg_stat_statements")
    }

    @Test(arguments: [(nil, nil), (14, 18)] as [(Int?, Int?)])
    func `what only a superuser makes is told of and left out, and all the rest is moved with its owners and grants`(
        from: Int?,
        to: Int?
    ) async throws {
        try await withManagedMove(from: from, to: to, of: Self.definitions(ManagedMove.role), rights: Self.rights) {
            managed in
            let move = managed.move
            try await execute(managed.sourceAdmin, Self.superuserObjects)
            let plan = try await move.run("migrate", ["--dry-run"])
            let text = plan.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            let cannot = #"because role "\#(managed.role.name)" cannot make"#
            for told in [
                #"warning 1 event trigger will be left out, \#(cannot) it It is "e'vt"."#,
                #"warning 1 publication of all tables will be left out, \#(cannot) it It is "every'thing"."#,
                "warning privileges on 2 objects of the system or of an extension will be left out, \(cannot) them",
                "warning what others than the owner granted will be granted by the owner",
            ] {
                #expect(text.contains(told), "\(told)\n\(plan.output)")
            }
            #expect(plan.status == 0, "\(plan.output)\(plan.error)")
            try await move.follow(then: .rollback) {
                try await execute(move.source, "UPDATE app.a SET n = 1 WHERE id < 5; INSERT INTO b VALUES (1)")
                for question in [
                    "SELECT string_agg(relname || relowner::regrole, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace IN ('app'::regnamespace, 'public'::regnamespace)",
                    "SELECT has_table_privilege('pg_monitor', 'app.a', 'SELECT')",
                    "SELECT has_schema_privilege(\(literal: Self.ann.name), 'app', 'CREATE')",
                    "SELECT string_agg(pubname, ' ') FROM pg_publication WHERE pubname = 'one'",
                    "SELECT prosrc FROM pg_proc WHERE proname = 'quotes'",
                    "SELECT string_agg(privilege_type, ' ') FROM pg_default_acl, aclexplode(defaclacl) AS a WHERE grantee = 'pg_monitor'::regrole",
                ] as [SQL] {
                    #expect(
                        try await ask(managed.targetAdmin, question) == ask(managed.sourceAdmin, question),
                        "\(question)"
                    )
                }
                #expect(try await ask(managed.targetAdmin, "SELECT count(*) FROM pg_event_trigger") == "0")
                let beside = try await move.run("verify", ["--schema"])
                #expect(beside.status == 0, "\(beside.output)\(beside.error)")
                for told in [
                    #"set aside as long as the move lasts: constraint ""c_o'f_fkey" on app.c", constraint "c_number_fkey on app.c", trigger"#,
                    "left out, because the target's role cannot make it: event trigger \"\"e'vt\"\", publication",
                    "granted by another role than on the source: table \"app.a\"\n",
                ] {
                    #expect(beside.output.contains("asked for: \(told)"), "\(told)\n\(beside.output)")
                }
                try await execute(
                    managed.targetAdmin,
                    "DROP TRIGGER \"f'ire\" ON app.a; SET ROLE \(managed.role); REVOKE SELECT ON app.a FROM pg_monitor"
                )
                let wrong = try await move.run("verify", ["--schema"])
                #expect(wrong.status == 2, "\(wrong.output)\(wrong.error)")
                #expect(wrong.output.contains("2 objects differ: "), "\(wrong.output)")
            }
        }
    }

    /// What other objects may need.
    private static let needed: [(made: SQL, told: String)] = [
        ("CREATE FUNCTION f(int) RETURNS int LANGUAGE internal AS 'int4up'", "1 function (internal)"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'", "1 leakproof function"),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET session_replication_role = local AS 'SELECT 1'",
            "1 function that sets a parameter (session_replication_role)"
        ),
        (
            """
            CREATE TYPE t; CREATE FUNCTION i(cstring) RETURNS t LANGUAGE internal STRICT IMMUTABLE AS 'int4in';
            CREATE FUNCTION o(t) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'int4out';
            CREATE TYPE t (INPUT = i, OUTPUT = o, INTERNALLENGTH = 4, PASSEDBYVALUE)
            """, "1 base type"
        ),
        ("CREATE OPERATOR FAMILY f USING btree", "1 operator family"),
        ("CREATE FOREIGN DATA WRAPPER w", "1 foreign-data wrapper"),
        ("CREATE CAST (text AS xid) WITH INOUT", "1 cast"),
        ("CREATE TEXT SEARCH TEMPLATE t (LEXIZE = dsimple_lexize)", "1 text search template"),
        ("CREATE ACCESS METHOD m TYPE INDEX HANDLER bthandler", "1 access method"),
        ("CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw", "1 foreign server (file_fdw)"),
    ]

    @Test func `what others need and only a superuser makes blocks the move before it begins`() async throws {
        try await withManagedMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { managed in
            for (made, told) in Self.needed {
                try await execute(managed.sourceAdmin, "CREATE SCHEMA its; SET search_path = its; \(made)")
                let plan = try await managed.move.run("migrate")
                #expect(plan.status == 2, "\(told): \(plan.error)")
                let text = plan.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                let cannot = #"blocker role "\#(managed.role.name)" cannot make \#(told)"#
                #expect(text.contains(cannot), "\(told): \(plan.error)")
                try await execute(
                    managed.sourceAdmin,
                    """
                    DROP SCHEMA its CASCADE; DROP FOREIGN DATA WRAPPER IF EXISTS w; DROP EXTENSION IF EXISTS file_fdw CASCADE;
                    DROP CAST IF EXISTS (text AS xid); DROP ACCESS METHOD IF EXISTS m
                    """
                )
                #expect(
                    try await ask(managed.targetAdmin, "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'martlet'")
                        == "0"
                )
            }
            // A superuser does not meet these.
            let whole = try await TestMove(
                source: managed.sourceAdmin,
                target: managed.targetAdmin,
                directory: managed.move.directory
            ).run("migrate", ["--dry-run"])
            #expect(whole.status == 0, "\(whole.output)")
        }
    }

    @Test(arguments: [nil, 18] as [Int?])
    func `an owner whom we cannot set blocks the move, until the grants were run that are printed`(
        major: Int?
    ) async throws {
        let definitions: SQL = "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY)"
        try await withManagedMove(from: major, to: major, of: definitions) { managed in
            let move = managed.move
            // The target's role makes the owner itself, as somebody who has CREATEROLE does.
            try await execute(managed.sourceAdmin, "CREATE ROLE \(Self.ann)")
            try await execute(move.target, "CREATE ROLE \(Self.ann)")
            try await execute(
                managed.sourceAdmin,
                "GRANT \(Self.ann) TO \(managed.role); ALTER TABLE app.t OWNER TO \(Self.ann)"
            )
            try await execute(
                managed.sourceAdmin,
                "ALTER DEFAULT PRIVILEGES FOR ROLE \(Self.ann) GRANT SELECT ON TABLES TO pg_monitor"
            )
            let granting = try await move.run("migrate", ["--no-owner", "--once"])
            #expect(granting.status == 2)
            #expect(granting.error.contains("cannot set default privileges for them"), "\(granting.error)")
            let refused = try await move.run("migrate")
            #expect(refused.status == 2)
            let with: SQL = (major ?? 15) >= 16 ? " WITH INHERIT TRUE, SET TRUE" : ""
            let member: SQL = "GRANT \(Self.ann) TO \(managed.role)\(with);"
            let create: SQL = "GRANT CREATE ON SCHEMA \"app\" TO \(Self.ann);"
            #expect(refused.error.contains(member.text), "\(refused.error)")
            #expect(refused.error.contains(create.text), "\(refused.error)")
            let without = try await move.run("migrate", ["--no-owner", "--no-privileges", "--once"])
            #expect(without.status == 0, "\(without.error)")
            try await move.must("finish")
            try await execute(move.target, "DROP SCHEMA app CASCADE")
            try await execute(managed.targetAdmin, member)
            try await execute(managed.sourceAdmin, create)
            try await move.follow {
                try await execute(move.source, "INSERT INTO app.t VALUES (1)")
                #expect(
                    try await ask(
                        managed.targetAdmin,
                        "SELECT rolname FROM pg_class c JOIN pg_roles r ON r.oid = relowner WHERE c.oid = 'app.t'::regclass"
                    )
                        == Self.ann.name
                )
            }
        }
    }
}
