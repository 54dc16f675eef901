import Catalog
import Postgres
import TestSupport
import Testing

/// Triggers, rules and foreign keys of the server that is written to.
struct Pitfall10TriggerTests {
    private static let definitions: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE seen (line text); CREATE TABLE ruled (id int);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO public.seen VALUES (format('%s %s %s', TG_NAME, TG_OP, TG_TABLE_NAME)); RETURN NEW; END $$;
        CREATE TRIGGER origin AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER "al""ways" AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER replica AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER statement AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
        ALTER TABLE t ENABLE ALWAYS TRIGGER "al""ways", ENABLE REPLICA TRIGGER replica, ENABLE ALWAYS TRIGGER statement;
        CREATE RULE also AS ON INSERT TO t DO ALSO INSERT INTO ruled VALUES (NEW.id); ALTER TABLE t ENABLE ALWAYS RULE also;
        CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT;
        CREATE TRIGGER of_parts AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE p ENABLE ALWAYS TRIGGER of_parts;
        CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
        INSERT INTO parent SELECT generate_series(1, 9); INSERT INTO child SELECT i, i FROM generate_series(1, 9) i;
        INSERT INTO t VALUES (1, 1)
        """

    private static let changes: SQL = """
        INSERT INTO t VALUES ((SELECT max(id) + 1 FROM t), 1); UPDATE t SET n = n + 1; INSERT INTO p SELECT coalesce(max(id), 0) + 1 FROM p;
        DELETE FROM parent WHERE id = (SELECT max(id) FROM parent); INSERT INTO parent SELECT max(id) + 2 FROM parent;
        INSERT INTO child SELECT max(id), max(id) FROM parent
        """

    @Test(.timeLimit(.minutes(5)), arguments: [nil, 14, 18] as [Int?])
    func `pitfall 10: triggers that fire for replicated rows do not fire twice, neither there nor on the way back`(
        major: Int?
    ) async throws {
        try await withMove(from: major, to: major, of: Self.definitions) { move in
            let programs = try await Installation.client(atLeast: major ?? 15)
            let before = try await programs.definitions(of: move.source)
            try await move.thereAndBack {
                try await move.write(Self.changes, Self.changes)
                let untouched: SQL = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'al%' AND tgenabled = 'A'"
                #expect(try await ask(move.source, untouched) == "1")
                #expect(try await ask(move.target, untouched) == "0")
            } afterCutover: {
                // Sessions of the application see the triggers fire as ever.
                let count = try await ask(move.target, "SELECT count(*) FROM seen")
                try await execute(move.target, Self.changes)
                #expect(try await ask(move.target, "SELECT count(*) FROM seen") != count)
            }
            #expect(try await programs.definitions(of: move.source) == before)
            #expect(try await programs.definitions(of: move.target) == before)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 10: after a finished move the triggers are as they were, and the foreign keys hold`() async throws {
        try await withMove(of: Self.definitions) { move in
            let programs = try await Installation.client(atLeast: 15)
            let before = try await programs.definitions(of: move.source)
            try await move.follow(then: .finish) { try await move.write(Self.changes) }
            #expect(try await programs.definitions(of: move.target) == before)
            let broken = await #expect(throws: PostgresError.self) {
                try await execute(move.target, "INSERT INTO child VALUES (1000, 1000)")
            }
            #expect(broken?.sqlState == "23503")
        }
    }
}
