import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Moves between every two major versions, there and back, under writes.
struct VersionTests {
    /// One way of the table in docs/guide/versions.md.
    struct Way: Sendable, CustomTestStringConvertible {
        let from: Int
        let to: Int

        var testDescription: String { "\(from) to \(to)" }
    }

    /// All ways with `MARTLET_ALL_VERSIONS`; otherwise the longest ones, up and down, and one between.
    private static var ways: [Way] {
        guard ProcessInfo.processInfo.environment["MARTLET_ALL_VERSIONS"] != nil else {
            return [(14, 18), (18, 14), (17, 16)].map { Way(from: $0.0, to: $0.1) }
        }
        return (14...18).flatMap { from in (14...18).map { Way(from: from, to: $0) } }
    }

    @Test(.timeLimit(.minutes(10)), arguments: ways)
    func `a database is moved under writes to another version, works there, and comes back`(_ way: Way) async throws {
        try await withMove(from: way.from, to: way.to, of: Self.definitions + Self.change) { move in
            let clock = ContinuousClock()
            let started = clock.now
            let writer = Writer(place: move.source)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await writer.write() }
                defer { writer.stop() }
                try await move.thereAndBack {
                    writer.stop()
                    try await group.waitForAll()
                } afterCutover: {
                    try await execute(move.target, #"CALL "Shöp".change(1); CALL "Shöp".change(100000)"#)
                }
            }
            let rows: SQL = #"SELECT count(*) FROM "Shöp"."order""#
            #expect(try await ask(move.source, rows) == ask(move.target, rows))
            try Self.note(way, clock.now - started)
        }
    }

    /// A session that writes until it is told to stop.
    private final class Writer: Sendable {
        private let place: ConnectionString
        private let isWanted = Mutex(true)

        init(place: ConnectionString) { self.place = place }

        func write() async throws {
            try await withConnection(to: place, application: "shop") { writer in
                var number = 1
                while isWanted.withLock({ $0 }) {
                    try writer.execute(#"CALL "Shöp".change(\#(number))"#)
                    number += 1
                }
            }
        }

        func stop() { isWanted.withLock { $0 = false } }
    }

    /// Adds a line to the file that `MARTLET_VERSIONS_TABLE` names, from which the table of the guide is made.
    private static func note(_ way: Way, _ took: Duration) throws {
        guard let path = ProcessInfo.processInfo.environment["MARTLET_VERSIONS_TABLE"] else { return }
        let line = "\(way.from) \(way.to) \(took.formatted(.units(allowed: [.seconds])))\n"
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(line.utf8))
        try handle.close()
    }
}

extension VersionTests {
    /// Rows named by a key, by an index, by the whole row; partitions, computed columns; what most schemas have.
    private static let definitions: SQL = """
        CREATE SCHEMA "Shöp";
        CREATE TYPE "Shöp".state AS ENUM ('new', 'paid'); CREATE DOMAIN "Shöp".cents AS bigint CHECK (VALUE >= 0);
        CREATE FUNCTION "Shöp".touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := now(); RETURN NEW; END $$;
        CREATE TABLE "Shöp".customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
            lower text GENERATED ALWAYS AS (lower(name)) STORED, tags text[], about jsonb);
        CREATE TABLE "Shöp"."order" (id bigserial, at date NOT NULL, customer int REFERENCES "Shöp".customer,
            state "Shöp".state DEFAULT 'new', cents "Shöp".cents, touched timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE "Shöp".order_old PARTITION OF "Shöp"."order" FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
        CREATE TABLE "Shöp".order_now PARTITION OF "Shöp"."order" DEFAULT;
        CREATE TABLE "Shöp".by_state (state "Shöp".state, n int, PRIMARY KEY (state, n)) PARTITION BY HASH (state);
        CREATE TABLE "Shöp".by_state_0 PARTITION OF "Shöp".by_state FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE "Shöp".by_state_1 PARTITION OF "Shöp".by_state FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE TABLE "Shöp".log (line text); CREATE TABLE "Shöp".coded (code text NOT NULL UNIQUE, body text);
        CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON "Shöp"."order" FOR EACH ROW EXECUTE FUNCTION "Shöp".touch();
        CREATE VIEW "Shöp".rich AS
            SELECT c.name, sum(o.cents) FROM "Shöp".customer c JOIN "Shöp"."order" o ON o.customer = c.id GROUP BY 1;
        CREATE MATERIALIZED VIEW "Shöp".total AS SELECT count(*) FROM "Shöp".rich;
        CREATE INDEX ON "Shöp"."order" (customer) WHERE state = 'new'; CREATE STATISTICS "Shöp".st ON name, tags FROM "Shöp".customer;
        COMMENT ON INDEX "Shöp".coded_code_key IS 'of a constraint'; GRANT SELECT ON "Shöp".customer TO pg_monitor;
        """

    /// One transaction of the application.
    private static let change: SQL = """
        CREATE PROCEDURE "Shöp".change(i int) LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO "Shöp".customer (name, tags, about) VALUES ('Ünal ' || i, ARRAY['a', NULL], '{"b": [1, null]}');
            INSERT INTO "Shöp"."order" (customer, at, cents) SELECT max(id), '2021-01-01'::date - i % 900, i FROM "Shöp".customer;
            UPDATE "Shöp"."order" SET state = 'paid', cents = cents + 1, at = at + 300 WHERE id = i - i % 7;
            DELETE FROM "Shöp"."order" WHERE id = i - 31;
            INSERT INTO "Shöp".by_state VALUES ('new', i); UPDATE "Shöp".by_state SET state = 'paid' WHERE n = i - 1;
            INSERT INTO "Shöp".log VALUES (repeat('x', i % 100)), (repeat('x', i % 100));
            DELETE FROM "Shöp".log WHERE line = repeat('x', (i + 50) % 100);
            INSERT INTO "Shöp".coded VALUES (i, repeat('ä', 3000)) ON CONFLICT DO NOTHING;
            UPDATE "Shöp".coded SET code = code || '!' WHERE code = (i - 3)::text;
        END $$;
        """
}
