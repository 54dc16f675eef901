import Foundation
import Postgres
import TestSupport
import Testing

@testable import Sync

/// What the target does not take, or takes only after its definitions were read again.
struct RefusalTests {
    @Test func `a name that the target does not know is told with its table and column`() async throws {
        try await Way.with(tables: "CREATE TABLE r (id int PRIMARY KEY, what regclass)") { way in
            var way = way
            way.isBinary = false
            try await way.follow { [way] follower, _ in
                try await way.write(["CREATE TABLE other (id int)", "INSERT INTO r VALUES (1, 'other')"])
                follower.release()
                let error = try await way.standstill(of: "r", follower)
                #expect(error.message == "could not apply changes of table \"public.r\"")
                #expect(error.detail?.contains("relation \"public.other\" does not exist") == true)
                #expect(error.detail?.contains("Column \"what\" of type regclass") == true)
                #expect(error.hint?.hasPrefix("Create the object that is named on the target") == true)
                try await execute(way.places.target, "CREATE TABLE other (id int)")
                try await way.untilAllGo(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test(arguments: [true, false])
    func `a row that a constraint of the target refuses is told with its key`(isBinary: Bool) async throws {
        let targetTable: SQL = "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 10))"
        try await Way.with(tables: FollowerTests.table, targetTables: targetTable) { way in
            var way = way
            way.isBinary = isBinary
            try await way.follow { [way] follower, _ in
                try await way.write(["INSERT INTO t VALUES (1, 1), (2, 20), (3, 3)"])
                follower.release()
                let error = try await way.standstill(of: "t", follower)
                #expect(error.message.hasPrefix("could not apply an INSERT of table \"public.t\" at 0/"))
                #expect(error.detail?.hasPrefix("Row (id=2). new row for relation \"t\" violates") == true)
                #expect(error.hint?.hasPrefix("The target does not take what the source holds.") == true)
            }
        }
    }

    @Test func `a table or column that went away on the target is named, and goes on when it is back`() async throws {
        try await Way.with(tables: "\(FollowerTests.table); CREATE TABLE o (id int PRIMARY KEY)") { way in
            try await way.follow { follower, _ in
                try await way.write(["INSERT INTO o VALUES (1); INSERT INTO t VALUES (1, 1)"])
                try await execute(way.places.target, "ALTER TABLE t RENAME n TO m")
                follower.release()
                let column = try await way.standstill(of: "t", follower)
                #expect(column.message == "table \"public.t\" on the target has no column \"n\"")
                #expect(column.hint?.hasSuffix(#"ALTER TABLE "public"."t" RENAME COLUMN "m" TO "n";"#) == true)
                try await way.settle(follower)
                try await execute(way.places.target, "DROP TABLE o; CREATE VIEW o AS SELECT 1 AS id")
                try await way.write(["INSERT INTO o VALUES (2)"])
                let table = try await way.standstill(of: "o", follower)
                #expect(table.message == "table \"public.o\" does not exist on the target")
                try await execute(way.places.target, "ALTER TABLE t RENAME m TO n")
                try await execute(way.places.target, "DROP VIEW o; CREATE TABLE o (id int PRIMARY KEY)")
                try await way.untilAllGo(follower)
                #expect(try await ask(way.places.target, "SELECT string_agg(n::text, ',') FROM t") == "1")
                #expect(try await ask(way.places.target, "SELECT string_agg(id::text, ',') FROM o") == "2")
            }
        }
    }

    @Test func `an error that is not of the rows is told with their table`() async throws {
        try await Way.with(tables: FollowerTests.table) { way in
            let broken: SQL = """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = 'disk_full'; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse();
                ALTER TABLE t ENABLE ALWAYS TRIGGER refuse
                """
            try await execute(way.places.target, broken)
            let error = await #expect(throws: PostgresError.self) {
                try await way.follow { follower, _ in
                    try await way.write(["INSERT INTO t VALUES (1, 1), (2, 2)"])
                    follower.release()
                    try await way.settle(follower)
                }
            }
            #expect(error?.message == "could not apply changes of table \"public.t\"")
            #expect(error?.detail == "The target said: not today")
            #expect(error?.hint?.hasPrefix("Remove the cause") == true)
        }
    }

    @Test(arguments: [true, false])
    func `columns may come and go on both servers while changes are applied`(isBinary: Bool) async throws {
        try await Way.with(tables: FollowerTests.table, rows: "INSERT INTO t VALUES (1, 1), (2, 2)") { way in
            var way = way
            way.isBinary = isBinary
            let counters = try await way.follow { [way] follower, _ in
                follower.release()
                try await way.write(["UPDATE t SET n = 10 WHERE id = 1"])
                try await way.settle(follower)
                for place in [way.places.target, way.places.source] {
                    try await execute(place, "ALTER TABLE t ADD COLUMN x text")
                }
                try await way.write(["UPDATE t SET x = 'x' WHERE id = 1; INSERT INTO t VALUES (3, 3, 'y')"])
                try await way.settle(follower)
                #expect(try await way.differences() == [])
                for place in [way.places.source, way.places.target] {
                    try await execute(place, "ALTER TABLE t DROP COLUMN x")
                }
                try await way.write(["UPDATE t SET n = 11 WHERE id = 1; INSERT INTO t VALUES (4, 4)"])
                try await way.settle(follower)
                return follower.progress.counters
            }
            #expect(try await way.differences() == [])
            #expect(counters.replays == 0)
        }
    }

    @Test func `a description of changes that were applied long ago stops nothing`() async throws {
        let targetTable: SQL = "CREATE TABLE t (id int PRIMARY KEY, n int, x int)"
        try await Way.with(tables: FollowerTests.table, targetTables: targetTable) { way in
            try await way.follow { follower, _ in
                follower.release()
                try await way.write(["ALTER TABLE t ADD COLUMN x int", "INSERT INTO t VALUES (1, 1, 1)"])
                try await way.settle(follower)
            }
            for place in [way.places.source, way.places.target] {
                try await execute(place, "ALTER TABLE t DROP COLUMN x")
            }
            try await way.follow { follower, _ in
                follower.release()
                try await way.write(["INSERT INTO t VALUES (2, 2)"])
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test(arguments: [1, 2])
    func `pitfall 7: a table with a new column stands still while others go on, also after a restart`(
        laneCount: Int
    ) async throws {
        try await Way.with(tables: "\(FollowerTests.table); CREATE TABLE o (id int PRIMARY KEY)") { way in
            var way = way
            way.laneCount = laneCount
            try await way.follow { [way] follower, _ in
                follower.release()
                try await way.write([
                    "ALTER TABLE t ADD COLUMN x numeric(8, 2) DEFAULT 1.5 NOT NULL",
                    "INSERT INTO o VALUES (1); INSERT INTO t VALUES (1, 1, 1)", "INSERT INTO o VALUES (2)",
                ])
                let table = try await way.standstill(of: "t", follower)
                #expect(table.message == "table \"public.t\" on the target has no column \"x\"")
                #expect(
                    table.hint?.hasSuffix(
                        #"ALTER TABLE "public"."t" ADD COLUMN "x" numeric(8,2) DEFAULT 1.5 NOT NULL;"#
                    ) == true
                )
                try await way.settle(follower)
                #expect(try await ask(way.places.target, "SELECT count(*) FROM o") == "2")
                try await way.write(["UPDATE t SET n = 2, x = 3; INSERT INTO t VALUES (2, 2)"])
                try await way.settle(follower)
            }
            try await way.follow { [way] follower, _ in
                follower.release()
                _ = try await way.standstill(of: "t", follower)
                try await way.write(["DELETE FROM t WHERE id = 2; INSERT INTO o VALUES (3)"])
                try await execute(way.places.target, "ALTER TABLE t ADD COLUMN x numeric(8, 2) DEFAULT 1.5 NOT NULL")
                try await way.untilAllGo(follower)
                try await way.write(["INSERT INTO t VALUES (3, 3)"])
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test func `pitfall 7: a new label, a new type and a column that is gone are told with their statements`()
        async throws
    {
        let tables: SQL = """
            CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE m (id int PRIMARY KEY, v mood);
            CREATE TABLE w (id int PRIMARY KEY, n int); CREATE TABLE g (id int PRIMARY KEY, a int NOT NULL, b int)
            """
        try await Way.with(tables: tables, rows: "INSERT INTO w VALUES (1, 1)") { way in
            try await way.follow { follower, _ in
                follower.release()
                try await way.write([
                    "ALTER TYPE mood ADD VALUE 'content' BEFORE 'happy'", "INSERT INTO m VALUES (1, 'content')",
                    "ALTER TABLE w ALTER n TYPE bigint", "UPDATE w SET n = 5000000000",
                    "ALTER TABLE g DROP COLUMN a", "INSERT INTO g VALUES (1, 2)",
                ])
                let remedies = [
                    "m": #"ALTER TYPE "public"."mood" ADD VALUE 'content' AFTER 'sad';"#,
                    "w": #"ALTER TABLE "public"."w" ALTER COLUMN "n" TYPE bigint;"#,
                    "g": #"ALTER TABLE "public"."g" DROP COLUMN "a";"#,
                ]
                for (table, remedy) in remedies {
                    let hint = try await way.standstill(of: table, follower).hint
                    #expect(hint?.hasSuffix(remedy) == true, "\(hint ?? "")")
                    try await execute(way.places.target, SQL(trusting: remedy))
                }
                try await way.untilAllGo(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test func `pitfall 13 and 14: a new partition is told with its statement`() async throws {
        let tables: SQL = """
            CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)
            """
        try await Way.with(tables: tables) { way in
            try await way.follow { follower, _ in
                follower.release()
                try await way.write([
                    #"CREATE TABLE "P 2" PARTITION OF p FOR VALUES FROM (10) TO (20)"#,
                    "INSERT INTO p VALUES (1), (11)",
                ])
                let hint = try await way.standstill(of: "p", follower).hint
                let remedy = #"CREATE TABLE "public"."P 2" PARTITION OF "public"."p" FOR VALUES FROM (10) TO (20);"#
                #expect(hint?.hasSuffix(remedy) == true, "\(hint ?? "")")
                try await execute(way.places.target, SQL(trusting: remedy))
                try await way.untilAllGo(follower)
            }
            #expect(try await way.differences() == [])
        }
    }
}
