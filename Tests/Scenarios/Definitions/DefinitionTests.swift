import Postgres
import TestSupport
import Testing

/// Moves a schema with everything in it, and has `martlet verify --schema` look for what is not the same.
struct DefinitionTests {
    @Test(.timeLimit(.minutes(10)), arguments: [(15, 15), (14, 18), (15, 18)])
    func `nothing of a rich schema is lost by a move`(source: Int, target: Int) async throws {
        try await withMove(from: source, to: target, of: RichSchema.definitions) { move in
            try await move.follow(then: .finish) {
                let beside = try await move.run("verify", ["--schema"])
                #expect(beside.status == 0, "\(beside.output)\(beside.error)")
                try await execute(move.target, "DROP INDEX shop.by_note; COMMENT ON TABLE shop.customer IS NULL")
                let different = try await move.run("verify", ["--schema"])
                #expect(different.status == 2, "\(different.error)")
                #expect(
                    different.output.contains("index \"shop.by_note\": only on the source\n    CREATE INDEX by_note")
                )
                #expect(
                    different.output.contains(
                        "table \"shop.customer\": comment: people on the source, none on the target\n"
                    )
                )
                let json = try await move.run("verify", ["--schema", "--json"])
                #expect(json.output.contains("\"COMMENT ON TABLE shop.customer IS 'people';\""))
                let index = try await ask(move.source, "SELECT pg_get_indexdef('shop.by_note'::regclass)")
                try await execute(
                    move.target,
                    """
                    \(SQL(trusting: try #require(index)));
                    ALTER INDEX shop.by_note ALTER COLUMN 1 SET STATISTICS 700;
                    COMMENT ON INDEX shop.by_note IS 'for the list';
                    COMMENT ON TABLE shop.customer IS 'people'
                    """
                )
            }
            let after = try await move.run("verify", ["--schema"])
            #expect(after.status == 0, "\(after.output)\(after.error)")
            #expect(after.output.contains("the definitions are equal: "))
            if source < 15 {
                let open: SQL = "SELECT has_schema_privilege('pg_monitor', 'public', 'CREATE')"
                #expect(try await ask(move.target, open) == "t")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `what was asked for is listed apart, and what is not moved with its command`() async throws {
        let definitions: SQL = """
            CREATE TABLE kept (id int PRIMARY KEY); CREATE TABLE gone (id serial PRIMARY KEY);
            CREATE VIEW over_gone AS SELECT * FROM gone;
            ALTER TABLE kept OWNER TO pg_monitor; GRANT SELECT ON kept TO pg_signal_backend;
            SELECT nextval('gone_id_seq');
            DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = kept, "$user"', current_database()); END $$
            """
        try await withMove(of: definitions) { move in
            try await move.must("migrate", "--once", "--exclude", "gone", "--no-owner", "--no-privileges")
            let verdict = try await move.run("verify", ["--schema"])
            #expect(verdict.status == 2, "\(verdict.error)")
            let name = try #require(try await ask(move.target, "SELECT current_database()"))
            #expect(
                verdict.output == """
                    database setting "search_path": only on the source
                        ALTER DATABASE "\(name)" SET "search_path" TO 'kept', '$user';
                    asked for: left out with --include or --exclude: table "public.gone", view "public.over_gone", \
                    sequence "public.gone_id_seq"
                    asked for: --no-owner: table "public.kept"
                    asked for: --no-privileges: table "public.kept"
                    1 object differs: 7 objects on both sides, PostgreSQL 15 and 15

                    """
            )
        }
    }

    @Test(.databasePair) func `two databases are compared without any move`() async throws {
        let pair = DatabasePair.current
        try await execute(pair.source, "CREATE TABLE t (a int); CREATE SEQUENCE s; SELECT nextval('s'), nextval('s')")
        try await execute(pair.target, "CREATE TABLE t (a bigint); CREATE SEQUENCE s; SELECT nextval('s')")
        let program = MartletProgram()
        let ends = ["--source", pair.source.secretURI, "--target", pair.target.secretURI]
        let verdict = try await program.run(["verify", "--schema"] + ends)
        #expect(verdict.status == 2)
        #expect(
            verdict.output.hasPrefix(
                """
                column "public.t.a": type: integer on the source, bigint on the target
                sequence "public.s": position: 2 on the source, 1 on the target
                2 objects differ: 
                """
            )
        )
        let wrong = try await program.run(["verify", "--schema", "--strict"] + ends)
        #expect(wrong.status == 64)
    }

    /// To Swift the space before such a name and its first accent are one character, which is no space.
    @Test(.timeLimit(.minutes(5)))
    func `names that begin with an accent are told from what stands before them`() async throws {
        let name = "\u{301}n"
        let (schema, table) = (Identifier(name), QualifiedName(schema: name, name: name))
        let definitions: SQL = """
            CREATE SCHEMA \(schema); CREATE TABLE \(table) (id int PRIMARY KEY, other int CONSTRAINT \(schema) REFERENCES \(table))
            """
        try await withMove(of: definitions) { move in
            try await move.must("migrate", "--once")
            try await move.must("verify", "--schema")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `an extension in a schema of its own is no obstacle to a second try`() async throws {
        let definitions: SQL = """
            CREATE SCHEMA "Ext"; COMMENT ON SCHEMA "Ext" IS 'ours'; CREATE EXTENSION hstore SCHEMA "Ext";
            CREATE TABLE t (id int PRIMARY KEY, h "Ext".hstore)
            """
        try await withMove(of: definitions) { move in
            try await move.follow(then: .abort) {}
            try await move.must("migrate", "--once")
            try await move.must("verify", "--schema")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `an extension in another schema than on the source is told of before the move`() async throws {
        try await withMove(
            of: "CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE TABLE t (id int PRIMARY KEY)"
        ) {
            move in
            try await execute(move.target, "CREATE EXTENSION hstore SCHEMA public")
            let refused = try await move.run("migrate", ["--once"])
            #expect(refused.status == 2, "\(refused.error)")
            #expect(refused.error.contains(#"ALTER EXTENSION "hstore" SET SCHEMA ext;"#), "\(refused.error)")
            try await execute(move.target, #"CREATE SCHEMA ext; ALTER EXTENSION "hstore" SET SCHEMA ext"#)
            try await move.must("migrate", "--once")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `default privileges of the target are told of, with what takes them back`() async throws {
        try await withMove(of: "CREATE TABLE secret (id int PRIMARY KEY); REVOKE ALL ON secret FROM PUBLIC") { move in
            try await execute(move.target, "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC")
            let told = try await move.run("assess")
            let text = told.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            let revoke = try #require(
                text.firstMatch(of: /ALTER DEFAULT PRIVILEGES FOR ROLE [^;]* REVOKE ALL ON TABLES FROM PUBLIC;/)
            )
            try await execute(move.target, SQL(trusting: String(revoke.output)))
            let mended = try await move.run("assess")
            #expect(!mended.output.contains("default privileges"), "\(mended.output)")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `schema public keeps another owner, and a foreign partition out of reach does no harm`() async throws {
        let definitions: SQL = """
            ALTER SCHEMA public OWNER TO pg_monitor; CREATE EXTENSION postgres_fdw;
            CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
            CREATE TABLE parts (id int) PARTITION BY RANGE (id);
            CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (9); INSERT INTO parts VALUES (1);
            CREATE FOREIGN TABLE far PARTITION OF parts FOR VALUES FROM (9) TO (99) SERVER nowhere
            """
        try await withMove(of: definitions) { move in
            try await move.must("migrate", "--once")
            #expect(try await ask(move.target, "SELECT count(*) FROM low") == "1")
            let told: SQL = "SELECT count(*) FROM martlet.event WHERE text LIKE '%parts\" was not analyzed%'"
            #expect(try await ask(move.target, told) == "1")
            let owner: SQL = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
            #expect(try await ask(move.target, owner) == "pg_monitor")
        }
    }
}
