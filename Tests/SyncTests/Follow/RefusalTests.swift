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
            let error = await #expect(throws: PostgresError.self) {
                try await way.follow { [way] follower, _ in
                    try await way.write(["CREATE TABLE other (id int)", "INSERT INTO r VALUES (1, 'other')"])
                    follower.release()
                    try await way.settle(follower)
                }
            }
            #expect(error?.message == "could not apply changes of table \"public.r\"")
            #expect(error?.detail?.contains("relation \"public.other\" does not exist") == true)
            #expect(error?.detail?.contains("Column \"what\" of type regclass") == true)
            #expect(error?.hint?.hasPrefix("Create the object that is named on the target") == true)
            try await execute(way.places.target, "CREATE TABLE other (id int)")
            try await way.follow { [way] follower, _ in
                follower.release()
                try await way.settle(follower)
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
            let error = await #expect(throws: PostgresError.self) {
                try await way.follow { [way] follower, _ in
                    try await way.write(["INSERT INTO t VALUES (1, 1), (2, 20), (3, 3)"])
                    follower.release()
                    try await way.settle(follower)
                }
            }
            #expect(error?.message.hasPrefix("could not apply an INSERT of table \"public.t\" at 0/") == true)
            #expect(error?.detail?.hasPrefix("Row (id=2). new row for relation \"t\" violates") == true)
            #expect(error?.hint?.hasPrefix("The target does not take what the source holds.") == true)
        }
    }

    @Test func `a table or column that went away on the target is named`() async throws {
        try await Way.with(tables: "\(FollowerTests.table); CREATE TABLE o (id int PRIMARY KEY)") { way in
            let error = await #expect(throws: PostgresError.self) {
                try await way.follow { follower, _ in
                    try await way.write(["INSERT INTO o VALUES (1); INSERT INTO t VALUES (1, 1)"])
                    try await execute(way.places.target, "ALTER TABLE t RENAME n TO m")
                    follower.release()
                    try await way.settle(follower)
                }
            }
            #expect(error?.message == "table \"public.t\" on the target has no column \"n\"")
            try await execute(
                way.places.target,
                "ALTER TABLE t RENAME m TO n; DROP TABLE o; CREATE VIEW o AS SELECT 1 AS id"
            )
            let other = await #expect(throws: PostgresError.self) {
                try await way.follow { follower, _ in
                    follower.release()
                    try await way.settle(follower)
                }
            }
            #expect(other?.message == "table \"public.o\" does not exist on the target")
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

    @Test func `a column that the target lacks ends the stream, which goes on when it is there`() async throws {
        try await Way.with(tables: FollowerTests.table) { way in
            let error = await #expect(throws: PostgresError.self) {
                try await way.follow { follower, _ in
                    follower.release()
                    try await way.write(["ALTER TABLE t ADD COLUMN x int", "INSERT INTO t VALUES (1, 1, 1)"])
                    try await way.settle(follower)
                }
            }
            #expect(error?.message == "table \"public.t\" on the target has no column \"x\"")
            #expect(error?.hint?.contains("or as it was before it was dropped there") == true)
            try await execute(way.places.source, "ALTER TABLE t DROP COLUMN x")
            try await execute(way.places.target, "ALTER TABLE t ADD COLUMN x int")
            try await way.follow { follower, _ in
                follower.release()
                try await way.settle(follower)
                try await execute(way.places.target, "ALTER TABLE t DROP COLUMN x")
                try await way.write(["INSERT INTO t VALUES (2, 2)"])
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }
}
