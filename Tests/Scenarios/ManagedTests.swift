import Foundation
import Postgres
import TestSupport
import Testing

/// Moves by roles that providers give: no superuser, and no session that acts as a replica.
@Suite(.timeLimit(.minutes(10)))
struct ManagedTests {
    /// Triggers in every state, rules, and foreign keys of every kind; what acts twice is seen in `audit` and in `n`.
    private static let definitions: SQL = #"""
        CREATE SCHEMA "o'dd ✓";
        SET search_path = "o'dd ✓", public;
        CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
        CREATE TABLE "cust'omer" (id int PRIMARY KEY, boss int REFERENCES "cust'omer", n int NOT NULL DEFAULT 0);
        CREATE TABLE orders (id int PRIMARY KEY, n int NOT NULL DEFAULT 0,
            customer int NOT NULL REFERENCES "cust'omer" ON DELETE CASCADE ON UPDATE CASCADE);
        CREATE TABLE line (id int, number int, PRIMARY KEY (id, number),
            CONSTRAINT "l'ine" FOREIGN KEY (id) REFERENCES orders ON DELETE CASCADE DEFERRABLE);
        COMMENT ON CONSTRAINT "l'ine" ON line IS 'it''s one';
        CREATE TABLE visit (id int, at int, customer int REFERENCES "cust'omer" ON DELETE CASCADE ON UPDATE CASCADE, n int NOT NULL DEFAULT 0,
            PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (0) TO (10);
        CREATE TABLE "visit'2" PARTITION OF visit DEFAULT;
        CREATE TABLE loose (id int PRIMARY KEY, orders int);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
            INSERT INTO "o'dd ✓".audit (what) VALUES (TG_NAME || ' ' || TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END$$;
        CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.n := NEW.n + 1; RETURN NEW; END$$;
        CREATE TRIGGER "n'ote" AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER up BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION up();
        CREATE TRIGGER up BEFORE INSERT OR UPDATE ON visit FOR EACH ROW EXECUTE FUNCTION up();
        CREATE TRIGGER always AFTER DELETE ON "cust'omer" FOR EACH ROW EXECUTE FUNCTION note();
        ALTER TABLE "cust'omer" ENABLE ALWAYS TRIGGER always;
        CREATE TRIGGER replica AFTER INSERT ON "cust'omer" FOR EACH ROW EXECUTE FUNCTION note();
        ALTER TABLE "cust'omer" ENABLE REPLICA TRIGGER replica;
        CREATE TRIGGER off AFTER INSERT ON "cust'omer" FOR EACH ROW EXECUTE FUNCTION note();
        ALTER TABLE "cust'omer" DISABLE TRIGGER off;
        CREATE CONSTRAINT TRIGGER later AFTER INSERT ON line DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION note();
        CREATE RULE "r'ule" AS ON INSERT TO loose DO ALSO INSERT INTO audit (what) VALUES ('rule');
        INSERT INTO "cust'omer" (id) SELECT generate_series(1, 20);
        INSERT INTO orders (id, customer) SELECT i, i FROM generate_series(1, 20) i;
        INSERT INTO line SELECT i, 1 FROM generate_series(1, 20) i;
        INSERT INTO visit (id, at, customer) SELECT i, i, i FROM generate_series(1, 20) i;
        INSERT INTO loose VALUES (1, 1000);
        ALTER TABLE loose ADD FOREIGN KEY (orders) REFERENCES orders NOT VALID
        """#

    /// Changes that cascade, that fire triggers, and of which rows come before those that they refer to.
    private static func changes(_ number: Int) -> SQL {
        #"""
        SET search_path = "o'dd ✓";
        INSERT INTO "cust'omer" (id, boss) VALUES (1\#(number)01, 1\#(number)02), (1\#(number)02, NULL);
        INSERT INTO orders (id, customer) VALUES (1\#(number)01, 1\#(number)01);
        BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO line VALUES (1\#(number)02, 1);
        INSERT INTO orders (id, customer) VALUES (1\#(number)02, 1\#(number)02); COMMIT;
        UPDATE "cust'omer" SET id = id + 5000 WHERE id = \#(number);
        DELETE FROM "cust'omer" WHERE id = \#(number) + 10;
        UPDATE orders SET customer = 20 WHERE id = 19;
        UPDATE visit SET at = 30 - at WHERE id = 5;
        INSERT INTO visit (id, at, customer) VALUES (1\#(number)01, 5, 20);
        INSERT INTO loose VALUES (1\#(number)02, 1\#(number)02)
        """#
    }

    /// What is set aside, and how it is: triggers, rules and foreign keys, without the fence's.
    private static let bystanders: SQL = """
        SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C") FROM (
            SELECT concat_ws(' ', 'trigger', tgname, tgrelid::regclass, tgenabled) FROM pg_trigger
             WHERE NOT tgisinternal AND tgparentid = 0 AND tgname <> 'martlet_fence'
            UNION ALL SELECT concat_ws(' ', 'rule', rulename, ev_class::regclass, ev_enabled) FROM pg_rewrite
             WHERE ev_class::regclass::text LIKE '%loose'
            UNION ALL SELECT concat_ws(' ', 'key', conname, conrelid::regclass, convalidated, pg_get_constraintdef(oid),
                                       obj_description(oid, 'pg_constraint')) FROM pg_constraint
             WHERE contype = 'f' AND conparentid = 0) AS x (line)
        """

    /// How many of them can do something to what is written; the rule and triggers that are ENABLE REPLICA are silent too.
    private static let awake: SQL = """
        SELECT (SELECT count(*) FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND tgname !~ '^(RI_|martlet_fence)')
             + (SELECT count(*) FROM pg_rewrite WHERE ev_enabled IN ('O', 'A') AND ev_class::regclass::text LIKE '%loose')
             + (SELECT count(*) FROM pg_constraint WHERE contype = 'f')
        """

    private static func cannot(_ role: Identifier) -> String {
        #"because role "\#(role.name)" cannot set session_replication_role"#
    }

    @Test(arguments: [(nil, nil), (14, 18)] as [(Int?, Int?)])
    func `without the replica role, triggers and foreign keys are set aside, both ways, and given back as they were`(
        from: Int?,
        to: Int?
    ) async throws {
        try await withManagedMove(from: from, to: to, of: Self.definitions) { managed in
            let move = managed.move
            let before = try await managed.definitions(of: managed.sourceAdmin)
            let states = try await ask(managed.sourceAdmin, Self.bystanders)
            let plan = try await move.run("migrate", ["--dry-run"])
            #expect(plan.status == 0, "\(plan.output)\(plan.error)")
            for side in ["source", "target"] {
                #expect(
                    plan.output.split(separator: "\n").joined(separator: " ").contains(
                        "5 triggers, 1 rule and 5 foreign keys will be set aside on the \(side) while martlet writes there, "
                            + Self.cannot(managed.role)
                    ),
                    "\(plan.output)"
                )
            }
            try await move.follow(then: .none) {
                try await execute(move.source, Self.changes(1))
                #expect(try await ask(managed.targetAdmin, Self.awake) == "0")
                try await move.mustBeEqual()
                try await move.must("verify", "--schema")
                try await move.must("cutover")
                try await eventually("every foreign key of the target is validated") {
                    try await ask(managed.targetAdmin, Self.bystanders) == states
                }
                await #expect(throws: PostgresError.self) { try await execute(move.source, Self.changes(2)) }
                try await execute(move.target, Self.changes(3))
                try await move.untilWaiting(in: "reversing")
                #expect(try await ask(managed.sourceAdmin, Self.awake) == "0")
                try await move.mustBeEqual()
                try await move.must("verify", "--schema")
                try await move.must("rollback")
            }
            await #expect(throws: PostgresError.self) { try await execute(move.target, Self.changes(4)) }
            #expect(try await ask(managed.sourceAdmin, Self.bystanders) == states)
            try await execute(move.source, Self.changes(5))
            try await move.must("abort")
            #expect(try await managed.definitions(of: managed.sourceAdmin) == before)
            #expect(try await move.leftovers() == "")
        }
    }

    @Test
    func `a martlet that is killed after it gave back triggers and foreign keys sets them aside again`() async throws {
        try await withManagedMove(of: Self.definitions) { managed in
            let move = managed.move
            let before = try await managed.definitions(of: managed.sourceAdmin)
            for (kind, milestone) in [("cutover", "forward"), ("rollback", "reverse")] {
                let isForward = kind == "cutover"
                let dead = move.dying(at: "\(milestone): after give back triggers and foreign keys")
                let outcome = try await dead.run("migrate") { _ in
                    try await move.untilWaiting(in: isForward ? "following" : "reversing")
                    try await move.request(kind)
                }
                #expect(outcome.status == 128 + SIGKILL, "\(outcome.error)")
                let written = isForward ? managed.targetAdmin : managed.sourceAdmin
                #expect(try await ask(written, Self.awake) != "0")
                guard isForward else { break }
                let resumed = try await move.run("migrate") { process in
                    try await move.untilWaiting(in: "following")
                    #expect(try await ask(managed.targetAdmin, Self.awake) == "0")
                    try await execute(move.source, Self.changes(1))
                    try await move.must("cutover")
                    try await execute(move.target, Self.changes(2))
                    try await move.untilWaiting(in: "reversing")
                    kill(process, SIGINT)
                }
                #expect(resumed.status == 130, "\(resumed.error)")
            }
            let last = try await move.run("migrate") { _ in
                try await move.untilWaiting(in: "reversing")
                #expect(try await ask(managed.sourceAdmin, Self.awake) == "0")
                try await execute(move.target, Self.changes(3))
                try await move.mustBeEqual()
                try await move.must("finish")
            }
            #expect(last.status == 0, "\(last.error)")
            #expect(try await managed.definitions(of: managed.sourceAdmin) == before)
            #expect(try await move.leftovers() == "")
        }
    }

    @Test func `an abort gives back what was set aside, on the copy too when it is kept`() async throws {
        try await withManagedMove(of: Self.definitions) { managed in
            let move = managed.move
            let before = try await managed.definitions(of: managed.sourceAdmin)
            let states = try await ask(managed.sourceAdmin, Self.bystanders)
            try await move.follow(then: .none) {
                try await execute(move.source, Self.changes(1))
                try await move.must("abort", "--keep-copy")
            }
            #expect(try await ask(managed.targetAdmin, Self.bystanders) == states)
            #expect(try await managed.definitions(of: managed.sourceAdmin) == before)
            #expect(try await move.leftovers() == "")
        }
    }

    @Test func `a target on which nobody may replicate is told of, and cut over to without a way back`() async throws {
        try await withManagedMove(of: Self.definitions, rights: { ("", "ALTER ROLE \($0) NOREPLICATION") }) { managed in
            let move = managed.move
            let before = try await managed.definitions(of: managed.sourceAdmin)
            let states = try await ask(managed.sourceAdmin, Self.bystanders)
            let plan = try await move.run("migrate", ["--dry-run"])
            let told =
                #"role "\#(managed.role.name)" may not replicate, so a cutover is possible only without a way back"#
            #expect(plan.output.contains(told), "\(plan.output)")
            try await move.follow(then: .none) {
                try await execute(move.source, Self.changes(1))
                let refused = try await move.run("cutover")
                #expect(refused.status == 1)
                #expect(refused.error.contains("the target refuses the stream of the way back"), "\(refused.error)")
                try await execute(move.source, Self.changes(2))
                try await move.must("cutover", "--no-rollback")
            }
            try await execute(move.target, Self.changes(3))
            try await move.must("finish")
            #expect(try await ask(managed.targetAdmin, Self.bystanders) == states)
            #expect(try await managed.definitions(of: managed.sourceAdmin) == before)
            #expect(try await move.leftovers() == "")
        }
    }

    @Test func `a right on the parameter spares its server that anything is set aside`() async throws {
        let right = { (role: Identifier) -> (SQL, SQL) in
            ("", "GRANT SET ON PARAMETER session_replication_role TO \(role)")
        }
        try await withManagedMove(of: Self.definitions, rights: right) { managed in
            let move = managed.move
            let states = try await ask(managed.sourceAdmin, Self.bystanders)
            let plan = try await move.run("migrate", ["--dry-run"])
            #expect(plan.output.contains("can set session_replication_role"), "\(plan.output)")
            #expect(plan.output.contains("foreign keys will be set aside on the source"), "\(plan.output)")
            #expect(!plan.output.contains("foreign keys will be set aside on the target"), "\(plan.output)")
            try await move.follow(then: .none) {
                try await execute(move.source, Self.changes(1))
                #expect(try await ask(managed.targetAdmin, Self.awake) != "0")
                try await move.mustBeEqual()
                try await move.must("cutover")
                try await execute(move.target, Self.changes(2))
                try await move.untilWaiting(in: "reversing")
                #expect(try await ask(managed.sourceAdmin, Self.awake) == "0")
                try await move.must("rollback")
            }
            #expect(try await ask(managed.sourceAdmin, Self.bystanders) == states)
            try await move.must("abort")
        }
    }

    @Test func `a cutover that fails behind its fence lets the stream go on, and tables are repaired as before`()
        async throws
    {
        try await withManagedMove(of: Self.definitions) { managed in
            let move = managed.move
            let outcome = try await move.stopping(at: "forward: before put up the fence").run("migrate") { process in
                try await move.untilFollowing()
                try await move.request("cutover")
                try await TestMove.untilStopped(process)
                // The table stands still as soon as the change arrives, which is when the fence is up.
                try await execute(managed.targetAdmin, #"DELETE FROM "o'dd ✓".orders WHERE id IN (2, 3)"#)
                try await execute(move.source, #"UPDATE "o'dd ✓".orders SET n = 7 WHERE id = 2"#)
                kill(process, SIGCONT)
                try await eventually("the cutover has failed") {
                    try await ask(
                        managed.targetAdmin,
                        "SELECT count(*) FROM martlet.request WHERE state <> 'asked' AND answer IS NOT NULL"
                    ) == "1"
                }
                #expect(try await ask(managed.targetAdmin, "SELECT phase FROM martlet.migration") == "following")
                try await execute(move.source, Self.changes(1))
                try await eventually("the other tables go on") {
                    try await ask(managed.targetAdmin, #"SELECT count(*) FROM "o'dd ✓".visit WHERE id = 1101"#) == "1"
                }
                #expect(try await ask(managed.targetAdmin, Self.awake) == "0")
                try await move.must("verify", "--repair")
                try await move.must("cutover")
                try await execute(
                    managed.sourceAdmin,
                    #"SET martlet.passes = 'yes'; DELETE FROM "o'dd ✓".line WHERE id = 4"#
                )
                try await execute(move.target, Self.changes(3))
                try await move.must("verify", "--repair")
                try await move.must("rollback")
            }
            #expect(outcome.status == 0, "\(outcome.error)")
            try await execute(move.source, Self.changes(4))
            try await move.must("abort")
        }
    }

    @Test func `a rollback does not wait for a foreign key of the new server to be validated`() async throws {
        try await withManagedMove(of: Self.definitions) { managed in
            let move = managed.move
            // Enforced by nothing, so it is left alone: nobody but a superuser could bring it back to that.
            try await execute(managed.sourceAdmin, #"ALTER TABLE "o'dd ✓".loose DISABLE TRIGGER ALL"#)
            try await execute(managed.sourceAdmin, #"ALTER TABLE "o'dd ✓".orders DISABLE TRIGGER ALL"#)
            let before = try await managed.definitions(of: managed.sourceAdmin)
            let plan = try await move.run("migrate", ["--dry-run"])
            #expect(plan.output.contains("2 foreign keys are enforced in part, and will be wholly after a rollback"))
            let stopping = move.stopping(at: "forward: after give back triggers and foreign keys")
            let outcome = try await stopping.run("migrate") { process in
                try await move.untilFollowing()
                try await move.request("cutover")
                try await TestMove.untilStopped(process)
                try await withConnection(to: managed.targetAdmin) { reader in
                    try reader.execute(#"BEGIN; LOCK TABLE "o'dd ✓".line IN SHARE UPDATE EXCLUSIVE MODE"#)
                    kill(process, SIGCONT)
                    try await move.untilWaiting(in: "reversing")
                    try await eventually("a validation waits") { try await validations(managed) == "1" }
                    #expect(try await ask(managed.sourceAdmin, Self.awake) == "1")
                    try await move.request("rollback")
                    try await eventually("it was given up") { try await validations(managed) == "0" }
                    try reader.execute("COMMIT")
                }
            }
            #expect(outcome.status == 0, "\(outcome.error)")
            try await move.must("abort")
            #expect(try await managed.definitions(of: managed.sourceAdmin) == before)
            #expect(
                try await ask(
                    managed.sourceAdmin,
                    #"SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgrelid = '"o''dd ✓".loose'::regclass"#
                ) == "D"
            )
        }
    }

    private func validations(_ managed: ManagedMove) async throws -> String? {
        try await ask(
            managed.targetAdmin,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'martlet cleanup' AND wait_event_type = 'Lock'"
        )
    }
}
