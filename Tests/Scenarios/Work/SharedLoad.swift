import Foundation
import Postgres
import TestSupport
import Testing

/// A move whose load begins only when a worker has joined it, and whose own session then waits for a lock.
///
/// So what is done is done by the worker until the test lets the lock go.
struct SharedLoad {
    let move: TestMove

    /// Names that are statements if they are taken for SQL, and rows that take several messages.
    ///
    /// The table `held` is the most expensive piece, and so the first that the martlet which leads the load takes; it has
    /// too few blocks to be cut.
    static let tables: SQL = """
        CREATE TABLE held (id int PRIMARY KEY, pad text); ALTER TABLE held ALTER COLUMN pad SET STORAGE EXTERNAL;
        INSERT INTO held SELECT i, repeat('x', 1000000) FROM generate_series(1, 5) i;
        CREATE SCHEMA "of ""us""; --";
        CREATE TABLE "of ""us""; --"."it's; DROP TABLE held; --" ("se""lect" int PRIMARY KEY, "$1 \\ é" text);
        INSERT INTO "of ""us""; --"."it's; DROP TABLE held; --" SELECT i, 'é\\' || i FROM generate_series(1, 15000) i;
        CREATE INDEX "in'dex""; --" ON "of ""us""; --"."it's; DROP TABLE held; --" ("$1 \\ é");
        CREATE TABLE plain (id int PRIMARY KEY, pad text);
        INSERT INTO plain SELECT i, repeat('y', 90) FROM generate_series(1, 12000) i;
        CREATE INDEX ON plain (pad);
        CREATE TABLE parted (id int, d int, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
        CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (50);
        CREATE TABLE parted2 PARTITION OF parted DEFAULT;
        INSERT INTO parted SELECT i, i % 100 FROM generate_series(1, 20000) i;
        CREATE TABLE nothing (id int)
        """

    /// What the options of `migrate` are; a move that is followed needs one of the server's few slots.
    var options = ["--once", "--jobs", "1", "--part-size", "256kB"]

    /// Moves; `body` runs when a worker has joined, and while the one that leads the load waits for a lock.
    ///
    /// `opened` is called before anybody copies.
    func run(
        worker: TestMove? = nil,
        opened: () async throws -> Void = {},
        _ body: (Processes) async throws -> Void
    ) async throws -> (leader: MartletProgram.Outcome, worker: MartletProgram.Outcome) {
        var worked: MartletProgram.Outcome?
        let led = try await move.stopping(at: "load opened").run("migrate", options) { leader in
            try await TestMove.untilStopped(leader)
            try await opened()
            try await withConnection(to: move.source) { owner in
                try owner.execute("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
                kill(leader, SIGCONT)
                try await eventually("the one that leads the load waits for the lock") {
                    let waits: SQL = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'held'::regclass"
                    return try !owner.query(waits).isEmpty
                }
                worked = try await (worker ?? move).run("work", ["--jobs", "2"]) { process in
                    try await eventually("the worker joins") { try await isJoined() }
                    try await body(Processes(leader: leader, worker: process, owner: owner))
                }
                if owner.isInTransaction { try owner.execute("COMMIT") }
            }
        }
        return (led, try #require(worked))
    }

    private func isJoined() async throws -> Bool {
        try await ask(move.target, "SELECT count(*) FROM martlet.worker") != "0"
    }

    /// Waits until the one that leads the load has ended, as it does with `--once`, and compares.
    func expectEnd(of leader: Int32) async throws {
        try await eventually("the copy is complete", within: .seconds(120)) { move.hasEnded(leader) }
        try await expectEveryPartOnce()
        try await move.mustBeEqual()
    }

    /// The two programs, and the session that keeps the first from copying.
    struct Processes {
        let leader: Int32
        let worker: Int32
        let owner: Connection

        /// Lets the one that leads the load copy.
        func letGo() throws { try owner.execute("COMMIT") }
    }

    /// Waits until so many pieces are as `condition` says.
    func until(_ what: String, _ condition: SQL, are count: Int) async throws {
        try await eventually(what, within: .seconds(120)) { try await pieces(condition) >= count }
    }

    /// How many pieces are as `condition` says.
    func pieces(_ condition: SQL) async throws -> Int {
        let question: SQL = "SELECT count(*) FROM martlet.piece WHERE \(condition)"
        return Int(try await ask(move.target, question) ?? "") ?? 0
    }

    /// Waits until the journal tells people something; it does so once a second.
    func untilTold(_ text: String) async throws {
        let question: SQL = "SELECT string_agg(text, E'\\n' ORDER BY id) FROM martlet.event"
        try await eventually("it is told: \(text)") { try await ask(move.target, question)?.contains(text) == true }
    }

    /// Every part is copied once, and whole.
    func expectEveryPartOnce() async throws {
        // The index in the journal would refuse it, too; here it is counted in what was written.
        let twice: SQL = """
            SELECT count(*) FROM (SELECT FROM martlet.piece WHERE state = 'done' AND kind = 'copy'
                                   GROUP BY run, schema, name, part HAVING count(*) > 1) AS x
            """
        #expect(try await ask(move.target, twice) == "0")
        let wrong: SQL = """
            SELECT string_agg(format('%s.%s: %s of %s parts, %s of %s rows', schema, name, n, parts, r, rows_done), '; ')
              FROM (SELECT schema, name, count(*) AS n, max(parts) AS parts, sum(rows) AS r FROM martlet.piece
                     WHERE state = 'done' AND kind = 'copy' AND run = (SELECT run FROM martlet.load)
                     GROUP BY schema, name) AS p
              JOIN martlet.table_load USING (schema, name)
             WHERE n <> parts OR r <> rows_done
            """
        #expect(try await ask(move.target, wrong) == nil)
    }
}
