import Postgres
import TestSupport
import Testing

/// Databases whose encoding is another one than UTF8.
@Suite(.timeLimit(.minutes(5)))
struct Pitfall30EncodingTests {
    /// Runs `body` with a move between databases in these encodings, on the shared servers.
    private func withMove(
        from source: String,
        to target: String,
        of definitions: SQL,
        _ body: (TestMove) async throws -> Void
    ) async throws {
        let servers = (try await TestServer.shared(.source), try await TestServer.shared(.target))
        try await withDatabase(on: servers.0, encoding: source) { from in
            try await withDatabase(on: servers.1, encoding: target) { to in
                try await withTemporaryDirectory { directory in
                    try await execute(from, definitions)
                    try await body(TestMove(source: from, target: to, directory: directory))
                }
            }
        }
    }

    @Test func `pitfall 30: a SQL_ASCII source keeps its bytes, there and back`() async throws {
        // The same letter in Latin-1, in UTF-8, and bytes that are neither.
        let definitions: SQL = #"""
            CREATE TABLE "Käse" (id int PRIMARY KEY, t text); COMMENT ON TABLE "Käse" IS 'ü';
            INSERT INTO "Käse" VALUES (1, E'\xe4'), (2, E'\xc3\xa4'), (3, E'\xff\xfe')
            """#
        try await withMove(from: "SQL_ASCII", to: "SQL_ASCII", of: definitions) { move in
            try await move.thereAndBack {
                try await move.write(
                    #"INSERT INTO "Käse" VALUES (4, E'\xe4\xff')"#,
                    #"UPDATE "Käse" SET t = E'\xfe' || t WHERE id = 1"#
                )
            } afterCutover: {
                let bytes: SQL = #"SELECT string_agg(encode(t::bytea, 'hex'), ' ' ORDER BY id) FROM "Käse""#
                #expect(try await ask(move.target, bytes) == "fee4 c3a4 fffe e4ff")
                try await execute(move.target, #"INSERT INTO "Käse" VALUES (5, E'\xe9')"#)
            }
            #expect(try await ask(move.source, #"SELECT encode(t::bytea, 'hex') FROM "Käse" WHERE id = 5"#) == "e9")
        }
    }

    @Test func `pitfall 30: a LATIN1 source becomes UTF8, its names too, and back`() async throws {
        let definitions: SQL = #"""
            CREATE TABLE "Käse" ("größe" text PRIMARY KEY, t text); COMMENT ON TABLE "Käse" IS 'ü';
            INSERT INTO "Käse" VALUES ('ä', 'é' || repeat('ß', 3000)); CREATE INDEX "Übersicht" ON "Käse" (t);
            CREATE TABLE hashed (k text PRIMARY KEY) PARTITION BY HASH (k);
            CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
            CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
            INSERT INTO hashed SELECT 'ä' || n FROM generate_series(1, 40) AS n
            """#
        try await withMove(from: "LATIN1", to: "UTF8", of: #"SET client_encoding = 'UTF8'; "# + definitions) { move in
            try await move.thereAndBack {
                try await move.write(
                    #"INSERT INTO "Käse" VALUES ('ö', 'ñ')"#,
                    #"UPDATE "Käse" SET "größe" = 'Ä' WHERE "größe" = 'ä'"#,
                    #"UPDATE hashed SET k = 'ö' || k WHERE k LIKE '%1'"#
                )
            } afterCutover: {
                #expect(
                    try await ask(
                        move.target,
                        #"SELECT string_agg("größe", ' ' ORDER BY "größe" COLLATE "C") FROM "Käse""#
                    ) == "Ä ö"
                )
                #expect(try await ask(move.target, #"SELECT obj_description('"Käse"'::regclass)"#) == "ü")
                try await execute(move.target, #"INSERT INTO "Käse" VALUES ('å', 'ÿ')"#)
            }
            #expect(try await ask(move.source, #"SELECT length(t) FROM "Käse" WHERE "größe" = 'å'"#) == "1")
        }
    }

    @Test
    func `pitfall 30: bytes that are no UTF-8 stop the copy with their table, and it goes on when they are corrected`()
        async throws
    {
        let definitions: SQL =
            #"CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE bad (t text); INSERT INTO bad VALUES ('a'), (E'\xe4')"#
        try await withMove(from: "SQL_ASCII", to: "UTF8", of: definitions) { move in
            let refused = try await move.run("migrate")
            #expect(refused.status == 1)
            #expect(refused.error.contains(#"error: could not copy table "public.bad""#), "\(refused.error)")
            #expect(refused.error.contains("invalid byte sequence"), "\(refused.error)")
            #expect(refused.error.contains("HINT: The source holds bytes that are no text"), "\(refused.error)")
            try await execute(move.source, #"UPDATE bad SET t = 'ae' WHERE t = E'\xe4'"#)
            try await move.follow {}
        }
    }

    @Test
    func `pitfall 30: a character that the old server cannot hold stops its table on the way back, not the new server`()
        async throws
    {
        try await withMove(from: "LATIN1", to: "UTF8", of: "CREATE TABLE t (id int PRIMARY KEY, v text)") { move in
            let migration = try await move.run("migrate") { _ in
                try await move.untilFollowing()
                try await move.must("cutover")
                try await execute(move.target, "INSERT INTO t VALUES (1, '🐦')")
                let failures: SQL = "SELECT count(*) FROM martlet.position WHERE failure IS NOT NULL"
                try await eventually("the table stands still") { try await ask(move.source, failures) == "1" }
                try await eventually("the status is written") {
                    try await move.run("status").output.contains("stands still")
                }
                let status = try await move.run("status").output
                #expect(status.contains("LATIN1"), "\(status)")
                try await execute(move.target, "INSERT INTO t VALUES (2, 'still open')")
                try await move.must("finish")
            }
            #expect(migration.status == 0, "\(migration.error)")
        }
    }
}
