import Foundation
import Postgres
import TestSupport
import Testing

/// Mapped tables that come out of line, or whose structure changes, while a move goes on; and by roles that are no superusers.
struct MappingRepairTests {
    private static let rules = MappingTests.file(
        MappingTests.rule(2, "schema", table: "sales", #""rename", "value": "shop""#),
        MappingTests.rule(3, "table", #""add-suffix", "value": "_x""#),
        MappingTests.rule(4, "column", column: "mail%", #""data-masking-hash-mask""#),
        MappingTests.rule(5, "column", column: "secret%", #""remove-column""#),
        MappingTests.rule(6, "column", table: "part", column: "note", #""rename", "value": "Remark""#)
    )

    private static let definitions: SQL = """
        CREATE SCHEMA sales; CREATE TYPE sales.mood AS ENUM ('good', 'bad');
        CREATE TABLE sales.person (id serial PRIMARY KEY, mail text, secret text, mood sales.mood DEFAULT 'good');
        CREATE TABLE public.plain (id int PRIMARY KEY, mood sales.mood, moods sales.mood[]);
        CREATE TABLE sales.part (id int PRIMARY KEY, mail text, note text) PARTITION BY RANGE (id);
        CREATE TABLE sales.part1 PARTITION OF sales.part FOR VALUES FROM (0) TO (100);
        INSERT INTO sales.person (mail, secret) SELECT n || '@x', 's' || n FROM generate_series(1, 50) AS n;
        INSERT INTO public.plain SELECT n, 'bad', '{good,bad}' FROM generate_series(1, 50) AS n;
        INSERT INTO sales.part SELECT n, n || '@y', 'n' FROM generate_series(1, 50) AS n
        """

    private func withRules(
        _ body: (TestMove, [String]) async throws -> Void
    ) async throws {
        try await withMove(of: Self.definitions) { move in try await withFile(move, body) }
    }

    private func withFile(_ move: TestMove, _ body: (TestMove, [String]) async throws -> Void) async throws {
        let path = move.directory + ".mapping.json"
        try Data(Self.rules.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(move, ["--mapping", path])
    }

    private func unmasked(_ move: TestMove) async throws -> String? {
        try await ask(
            move.target,
            "SELECT count(*) FROM (SELECT mail FROM shop.person_x UNION ALL SELECT mail FROM shop.part_x) AS m WHERE mail ~ '@'"
        )
    }

    @Test(.timeLimit(.minutes(5)))
    func `mapped tables are repaired and copied again as the rules say`() async throws {
        try await withRules { move, options in
            try await move.follow(options, then: .none) {
                // What is as the rules say is no difference: nothing is in the way of a cutover.
                try await move.must("cutover", "--dry-run", "--no-rollback")
                try await execute(
                    move.target,
                    """
                    SET session_replication_role = replica; DELETE FROM shop.person_x WHERE id = 7;
                    UPDATE shop.person_x SET mail = 'plain@x' WHERE id = 8; DELETE FROM shop.part_x WHERE id < 20;
                    UPDATE public.plain_x SET mood = 'good' WHERE id = 3
                    """
                )
                let definitions = try await move.run("verify", ["--schema"])
                #expect(definitions.status == 1 && definitions.error.contains("with --mapping"), "\(definitions.error)")
                let found = try await move.run("verify")
                #expect(found.status == 2, "\(found.output)")
                let repaired = try await move.run("verify", ["--repair"])
                #expect(repaired.status == 0, "\(repaired.output)\(repaired.error)")
                #expect(try await unmasked(move) == "0")
                // A partition that is new on both sides has rows that the rules are about, too.
                try await execute(
                    move.source,
                    "CREATE TABLE sales.part2 PARTITION OF sales.part FOR VALUES FROM (100) TO (200)"
                )
                let refused = try await move.run("cutover", ["--dry-run", "--no-rollback"])
                #expect(
                    refused.output.contains(#"partition "shop.part2_x" of table "shop.part_x" is new"#),
                    "\(refused.output)"
                )
                try await execute(
                    move.target,
                    "CREATE TABLE shop.part2_x PARTITION OF shop.part_x FOR VALUES FROM (100) TO (200)"
                )
                try await execute(move.source, "INSERT INTO sales.part VALUES (150, 'm@y', 'r'), (151, 'n@y', 'r')")
                try await move.mustBeEqual()
                let done = try await move.program("resync", "--target", move.target.secretURI, "--table", "sales.part")
                #expect(done.status == 0, "\(done.error)")
                #expect(try await ask(move.target, "SELECT count(*) FROM shop.part2_x WHERE \"Remark\" = 'r'") == "2")
                #expect(try await unmasked(move) == "0")
                try await move.mustBeEqual()
                try await execute(move.source, "SELECT nextval('sales.person_id_seq') FROM generate_series(1, 10)")
                try await move.must("cutover", "--no-rollback")
                #expect(try await ask(move.target, "SELECT nextval('shop.person_id_seq')") == "61")
            }
            try await move.must("finish")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a new column that a rule masks arrives in no other way than masked`() async throws {
        try await withRules { move, options in
            let first = try await move.run("migrate", options) { process in
                try await move.untilFollowing(process)
                try await execute(
                    move.source,
                    """
                    ALTER TABLE sales.person ADD COLUMN mail2 text; ALTER TABLE sales.person ADD COLUMN secret2 text;
                    UPDATE sales.person SET mail2 = 'second@x', secret2 = 's' WHERE id = 1
                    """
                )
                try await execute(move.target, "ALTER TABLE shop.person_x ADD COLUMN mail2 text")
                let standing: SQL = """
                    SELECT string_agg(failure ->> 'message', ',') FROM martlet.position WHERE failure IS NOT NULL
                    """
                try await eventually("the table stands still") {
                    try await ask(move.target, standing)?.contains("the rules of the mapping were applied") == true
                }
                let refused = try await move.run("cutover", ["--no-rollback"])
                #expect(refused.status == 1)
                kill(process, SIGINT)
            }
            #expect(first.status == 130)
            try await move.follow(options, then: .none) {
                let masked: SQL = "SELECT mail2 = encode(sha256('second@x'), 'hex') FROM shop.person_x WHERE id = 1"
                try await eventually("the table goes on") { try await ask(move.target, masked) == "t" }
                try await move.mustBeEqual()
                try await move.must("cutover", "--no-rollback")
            }
            try await move.must("finish")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `rows without a key are found when their numbers are stored with other digits`() async throws {
        let number = #""change-data-type", "data-type": {"type": "numeric", "precision": 12, "scale": 2}"#
        let file = MappingTests.file(MappingTests.rule(2, "column", table: "bare", column: "n", number))
        let definitions: SQL = """
            CREATE TABLE bare (n int, v text); INSERT INTO bare SELECT n, 'v' FROM generate_series(1, 20) AS n
            """
        try await withMove(of: definitions) { move in
            let path = move.directory + ".mapping.json"
            try Data(file.utf8).write(to: URL(filePath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            try await move.follow(["--mapping", path], then: .abort) {
                try await execute(move.source, "UPDATE bare SET v = 'w' WHERE n = 3; DELETE FROM bare WHERE n = 4")
                try await move.mustBeEqual()
                #expect(try await ask(move.target, "SELECT n || v FROM bare WHERE v = 'w'") == "3.00w")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `triggers and foreign keys of renamed tables are set aside and given back, both ways`() async throws {
        let file = MappingTests.file(
            MappingTests.rule(2, "schema", table: "sales", #""rename", "value": "shop""#),
            MappingTests.rule(3, "table", #""add-suffix", "value": "_x""#),
            MappingTests.rule(4, "column", column: "who", #""rename", "value": "Person""#)
        )
        let definitions: SQL = """
            CREATE SCHEMA sales; CREATE TABLE sales.person (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
            CREATE TABLE sales.visit (id int PRIMARY KEY, who int REFERENCES sales.person ON DELETE CASCADE);
            CREATE FUNCTION sales.up() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.n := NEW.n + 1; RETURN NEW; END$$;
            CREATE TRIGGER up BEFORE INSERT OR UPDATE ON sales.person FOR EACH ROW EXECUTE FUNCTION sales.up();
            INSERT INTO sales.person SELECT generate_series(1, 20); INSERT INTO sales.visit SELECT n, n FROM generate_series(1, 20) AS n
            """
        try await withManagedMove(of: definitions) { managed in
            let move = managed.move
            let path = move.directory + ".mapping.json"
            try Data(file.utf8).write(to: URL(filePath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            try await move.follow(["--mapping", path], then: .none) {
                try await execute(
                    move.source,
                    "DELETE FROM sales.person WHERE id = 3; UPDATE sales.person SET n = 9 WHERE id = 4"
                )
                try await move.mustBeEqual()
                #expect(try await ask(move.target, "SELECT n FROM shop.person_x WHERE id = 4") == "10")
                try await move.must("cutover")
                let keys: SQL =
                    "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'shop.visit_x'::regclass"
                #expect(try await ask(move.target, keys) == "1")
                try await execute(
                    move.target,
                    #"""
                    DELETE FROM shop.person_x WHERE id = 5; UPDATE shop.person_x SET n = 20 WHERE id = 6;
                    UPDATE shop.visit_x SET "Person" = 7 WHERE id = 8
                    """#
                )
                try await move.must("rollback")
                #expect(try await ask(move.source, "SELECT n FROM sales.person WHERE id = 6") == "21")
                #expect(try await ask(move.source, "SELECT who FROM sales.visit WHERE id = 8") == "7")
                #expect(try await ask(move.source, "SELECT count(*) FROM sales.visit") == "18")
                let back: SQL =
                    "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'sales.visit'::regclass"
                #expect(try await ask(move.source, back) == "1")
            }
            try await move.must("abort")
        }
    }
}
