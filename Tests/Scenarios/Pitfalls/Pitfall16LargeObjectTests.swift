import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Large objects, which no stream tells of.
struct Pitfall16LargeObjectTests {
    private static let contents: SQL = """
        SELECT string_agg(format('%s %s %s %s %s', m.oid, md5(lo_get(m.oid)), pg_get_userbyid(m.lomowner),
                                 (SELECT array_agg(a ORDER BY a::text) FROM unnest(m.lomacl) a),
                                 obj_description(m.oid, 'pg_largeobject')), '; ' ORDER BY m.oid)
          FROM pg_largeobject_metadata m
        """

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 16: large objects arrive with owner, rights and comment, and again at the cutover and the rollback`()
        async throws
    {
        let role = Identifier("owner_\(UInt64.random(in: 0 ... .max))")
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            // Roles belong to the server, so that they outlive the databases.
            for place in [move.source, move.target] { try await execute(place, "CREATE ROLE \(role)") }
            try await execute(
                move.source,
                """
                SELECT lo_from_bytea(70001, 'plain'), lo_from_bytea(70002, ''), lo_create(70003), lo_from_bytea(70004, 'gone');
                SELECT lo_put(70003, 3 << 20, '\\x00ff'); SELECT lo_from_bytea(70005, 'theirs');
                ALTER LARGE OBJECT 70005 OWNER TO \(role); GRANT SELECT ON LARGE OBJECT 70005 TO PUBLIC;
                GRANT UPDATE ON LARGE OBJECT 70001 TO \(role) WITH GRANT OPTION; REVOKE SELECT ON LARGE OBJECT 70001 FROM CURRENT_USER;
                COMMENT ON LARGE OBJECT 70001 IS 'it''s \\ "mine"'
                """
            )
            try await move.thereAndBack {
                #expect(try await same(move))
                try await move.write(
                    "SELECT lo_unlink(70004), lo_put(70001, 2, 'XX'), lo_from_bytea(70006, 'new')",
                    "COMMENT ON LARGE OBJECT 70005 IS 'only words'; GRANT SELECT ON LARGE OBJECT 70002 TO \(role)"
                )
            } afterCutover: {
                #expect(try await same(move))
                try await execute(move.target, "SELECT lo_unlink(70006), lo_from_bytea(70007, 'newer')")
            }
            #expect(try await same(move))
            for place in [move.source, move.target] {
                try await execute(place, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata; DROP ROLE \(role)")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 16: what is written to large objects shortly before the fence is copied behind it`() async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await execute(
                move.source,
                """
                SELECT lo_from_bytea(71000 + i, convert_to(repeat('x', 5000), 'UTF8')) FROM generate_series(1, 8) AS i;
                COMMENT ON LARGE OBJECT 71007 IS 'old words'; GRANT SELECT ON LARGE OBJECT 71008 TO PUBLIC
                """
            )
            let outcome = try await move.stopping(at: "forward: before put up the fence").run("migrate") { process in
                try await move.untilFollowing()
                try await move.request("cutover")
                try await TestMove.untilStopped(process)
                #expect(try await same(move))
                try await move.write(
                    """
                    SELECT lo_put(71001, 2, 'in place'), lo_put(71002, 5000, 'longer'), lo_unlink(71003),
                           lo_from_bytea(71009, 'new')
                    """,
                    "SELECT lo_truncate(lo_open(71004, x'20000'::int), 2048)",
                    "SELECT lo_truncate(lo_open(71005, x'20000'::int), 0), lo_put(71005, 4999, 'y')",
                    "SELECT lo_unlink(71006), lo_from_bytea(71006, convert_to(repeat('z', 5000), 'UTF8'))",
                    "COMMENT ON LARGE OBJECT 71007 IS NULL; REVOKE SELECT ON LARGE OBJECT 71008 FROM PUBLIC"
                )
                #expect(try await !same(move))
                kill(process, SIGCONT)
                try await move.untilWaiting(in: "reversing")
                #expect(try await same(move))
                try await move.must("finish", "--force")
            }
            #expect(outcome.status == 0, "\(outcome.error)")
            for place in [move.source, move.target] {
                try await execute(place, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 16: ten thousand large objects take no more locks than a small server has, also to remove them`()
        async throws
    {
        let small = ServerConfiguration(settings: ["max_locks_per_transaction": "10", "max_connections": "40"])
        try await withServer(small) { source in
            try await withServer(small) { target in
                try await withTemporaryDirectory { directory in
                    for statement in [
                        "SELECT lo_from_bytea(0, convert_to(repeat('object ' || i, i % 9), 'UTF8')) FROM generate_series(1, 10000) i",
                        """
                        DO $$ BEGIN
                            FOR i IN 900001..901500 LOOP
                                PERFORM lo_from_bytea(i, 'with words');
                                EXECUTE format('COMMENT ON LARGE OBJECT %s IS ''x'' ', i);
                                IF i % 100 = 0 THEN COMMIT; END IF;
                            END LOOP;
                        END $$
                        """,
                        "CREATE TABLE t (id int PRIMARY KEY)",
                    ] as [SQL] { try await execute(source.connection(), statement) }
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let move = TestMove(
                        source: source.connection(),
                        target: target.connection(to: "copy"),
                        directory: directory
                    )
                    try await execute(move.target, "SELECT lo_from_bytea(5, 'was there before')")
                    try await move.follow(then: .abort) {
                        let count = try await ask(move.target, "SELECT count(*) FROM pg_largeobject_metadata")
                        #expect(count == "11501")
                        let digest: SQL = """
                            SELECT md5(string_agg(md5(lo_get(oid)), '' ORDER BY oid)) FROM pg_largeobject_metadata WHERE oid <> 5
                            """
                        let (wanted, found) = try await (ask(move.source, digest), ask(move.target, digest))
                        #expect(wanted == found)
                    }
                    let left = try await ask(
                        move.target,
                        "SELECT string_agg(oid::text, ',') FROM pg_largeobject_metadata"
                    )
                    #expect(left == "5")
                }
            }
        }
    }

    private func same(_ move: TestMove) async throws -> Bool {
        let (source, target) = try await (ask(move.source, Self.contents), ask(move.target, Self.contents))
        if source != target { print(source ?? "nothing", "became", target ?? "nothing") }
        return source == target && source != nil
    }
}
