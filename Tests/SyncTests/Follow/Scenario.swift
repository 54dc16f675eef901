import Postgres
import Testing

/// Tables, and a history of changes that has to arrive.
struct Scenario: Sendable, CustomTestStringConvertible {
    let title: String
    let tables: SQL
    var targetTables: SQL?
    var rows: SQL = ""
    let changes: [SQL]

    var testDescription: String { title }

    /// How a scenario's changes travel.
    enum Variant: String, CaseIterable, Sendable {
        case binaryInOneGroup, binaryOneByOne, textInOneGroup, binaryBacklog, textBacklog

        var isBinary: Bool { self != .textInOneGroup && self != .textBacklog }
        /// Whether all changes are there before anybody follows.
        var isBacklog: Bool { self == .binaryBacklog || self == .textBacklog }
        var isGrouped: Bool { self != .binaryOneByOne }
    }

    static let all = basics + keys + types + shapes + toast + pitfalls
}

extension Scenario {
    static let basics: [Scenario] = [
        Scenario(
            title: "inserts, updates, deletes and truncates",
            tables: "CREATE TABLE items (id int PRIMARY KEY, name text, n int NOT NULL DEFAULT 7)",
            rows: "INSERT INTO items SELECT i, 'old ' || i FROM generate_series(1, 20) i",
            changes: [
                "INSERT INTO items VALUES (100, 'new', 1), (101, NULL, 2)",
                "UPDATE items SET n = n + 1 WHERE id < 5; UPDATE items SET name = NULL WHERE id = 2",
                "DELETE FROM items WHERE id IN (3, 100); INSERT INTO items VALUES (3, 'again', 0)",
                "INSERT INTO items VALUES (200, 'short lived', 0); DELETE FROM items WHERE id = 200",
                "UPDATE items SET name = 'x' WHERE id = 7; DELETE FROM items WHERE id = 7",
                "TRUNCATE items; INSERT INTO items VALUES (1, 'first', 1)",
                "UPDATE items SET n = 2",
            ]
        ),
        Scenario(
            title: "pitfall 5: a truncate that comes last",
            tables: "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int)",
            rows: "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
            changes: ["INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)", "TRUNCATE a, b"]
        ),
        Scenario(
            title: "pitfall 19: transactions over several tables, empty ones, and subtransactions that roll back",
            tables: """
                CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int);
                CREATE TABLE c (id int PRIMARY KEY, n int); CREATE UNLOGGED TABLE u (id int)
                """,
            changes: [
                "INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1); INSERT INTO c VALUES (1, 1)",
                "SELECT txid_current()",
                "SELECT pg_logical_emit_message(true, 'other', 'hello')",
                """
                BEGIN; UPDATE a SET n = 2; SAVEPOINT s; UPDATE b SET n = 99; DELETE FROM c; ROLLBACK TO s;
                SAVEPOINT s; UPDATE c SET n = 3; RELEASE s; COMMIT
                """,
                "BEGIN; INSERT INTO a VALUES (9, 9); ROLLBACK",
                "UPDATE a SET n = n + 1; UPDATE b SET n = n + 1; UPDATE c SET n = n + 1",
            ]
        ),
        Scenario(
            title: "pitfall 5: truncates of tables that foreign keys point at",
            tables: """
                CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE q (id int PRIMARY KEY, p int REFERENCES p)
                """,
            rows: "INSERT INTO p VALUES (1), (2); INSERT INTO q VALUES (1, 1), (2, 2)",
            changes: [
                "TRUNCATE p, q; INSERT INTO p VALUES (5); INSERT INTO q VALUES (5, 5)",
                "TRUNCATE p CASCADE; INSERT INTO p VALUES (6)",
                "INSERT INTO q VALUES (6, 6)",
            ]
        ),
    ]

    static let keys: [Scenario] = [
        Scenario(
            title: "pitfall 4: changes and swaps of keys",
            tables: "CREATE TABLE k (id int PRIMARY KEY, name text)",
            rows: "INSERT INTO k SELECT i, 'row ' || i FROM generate_series(1, 9) i",
            changes: [
                "UPDATE k SET id = 100 WHERE id = 1; UPDATE k SET id = 1 WHERE id = 2; UPDATE k SET id = 2 WHERE id = 100",
                "UPDATE k SET id = -id; UPDATE k SET id = 1 - id",
                "DELETE FROM k WHERE id = 5; UPDATE k SET id = 5 WHERE id = 6; INSERT INTO k VALUES (6, 'new')",
                "UPDATE k SET name = name || '!', id = id + 50 WHERE id > 7",
                "INSERT INTO k VALUES (70, 'a'); UPDATE k SET id = 71 WHERE id = 70; DELETE FROM k WHERE id = 71",
            ]
        ),
        Scenario(
            title: "pitfall 12: rows that swap a unique value",
            tables: "CREATE TABLE u (id int PRIMARY KEY, email text UNIQUE)",
            rows: "INSERT INTO u VALUES (1, 'a'), (2, 'b'), (3, 'c')",
            changes: [
                """
                UPDATE u SET email = 'tmp' WHERE id = 1; UPDATE u SET email = 'a' WHERE id = 2;
                UPDATE u SET email = 'b' WHERE id = 1
                """,
                "DELETE FROM u WHERE id = 3; INSERT INTO u VALUES (4, 'c')",
                "UPDATE u SET email = 'd' WHERE id = 4; INSERT INTO u VALUES (3, 'c')",
            ]
        ),
        Scenario(
            title: "pitfall 11: deferrable unique constraints",
            tables: """
                CREATE TABLE d (id int PRIMARY KEY, a int UNIQUE DEFERRABLE INITIALLY DEFERRED, b int UNIQUE DEFERRABLE)
                """,
            rows: "INSERT INTO d SELECT i, i, i FROM generate_series(1, 5) i",
            changes: [
                "UPDATE d SET b = b + 1",
                "UPDATE d SET a = 2 WHERE id = 1; UPDATE d SET a = 1 WHERE id = 2",
                "INSERT INTO d VALUES (9, 3, 9); UPDATE d SET a = 30 WHERE id = 3",
            ]
        ),
        Scenario(
            title: "pitfall 11: a deferrable primary key under REPLICA IDENTITY FULL",
            tables: """
                CREATE TABLE d (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, n int);
                ALTER TABLE d REPLICA IDENTITY FULL
                """,
            rows: "INSERT INTO d VALUES (1, 10), (2, 20)",
            changes: [
                "UPDATE d SET id = 2 WHERE n = 10; UPDATE d SET n = 21 WHERE n = 20; UPDATE d SET id = 1 WHERE n = 21",
                "UPDATE d SET id = id + 1",
            ]
        ),
        Scenario(
            title: "pitfall 12: exclusion constraints",
            tables: "CREATE TABLE e (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&))",
            rows: "INSERT INTO e VALUES (1, '[1,5)'), (2, '[5,9)')",
            changes: [
                """
                UPDATE e SET r = '[100,101)' WHERE id = 1; UPDATE e SET r = '[1,5)' WHERE id = 2;
                UPDATE e SET r = '[5,9)' WHERE id = 1
                """,
                "DELETE FROM e WHERE id = 1; INSERT INTO e VALUES (3, '[4,9)') ON CONFLICT DO NOTHING",
            ]
        ),
        Scenario(
            title: "pitfall 3: REPLICA IDENTITY FULL with rows that are equal",
            tables: """
                CREATE TABLE f (a int, b text, c json, d point, e xml, g float8);
                ALTER TABLE f REPLICA IDENTITY FULL
                """,
            rows: """
                INSERT INTO f SELECT 1, 'same', '{"x": 1}', '(1,2)', '<a/>', 'NaN' FROM generate_series(1, 4);
                INSERT INTO f SELECT 2, NULL, NULL, NULL, NULL, NULL FROM generate_series(1, 3)
                """,
            changes: [
                "DELETE FROM f WHERE ctid = (SELECT min(ctid) FROM f WHERE a = 1)",
                "UPDATE f SET b = 'other' WHERE ctid = (SELECT max(ctid) FROM f WHERE a = 1)",
                "UPDATE f SET a = 3 WHERE ctid = (SELECT min(ctid) FROM f WHERE a = 2); INSERT INTO f VALUES (2)",
                "DELETE FROM f WHERE a = 2",
            ]
        ),
        Scenario(
            title: "pitfall 2: REPLICA IDENTITY USING INDEX, FULL beside a key, and none for rows that are only added",
            tables: """
                CREATE TABLE i (a int NOT NULL, b text NOT NULL, n int, id serial PRIMARY KEY);
                CREATE UNIQUE INDEX i_index ON i (b, a); ALTER TABLE i REPLICA IDENTITY USING INDEX i_index;
                CREATE TABLE f (id int PRIMARY KEY, n int); ALTER TABLE f REPLICA IDENTITY FULL;
                CREATE TABLE log (line text)
                """,
            rows:
                "INSERT INTO i SELECT n, 'b' || n, 0 FROM generate_series(1, 5) n; INSERT INTO f VALUES (1, 1), (2, 2)",
            changes: [
                "UPDATE i SET n = 5 WHERE a = 1; UPDATE i SET a = 50 WHERE a = 2; DELETE FROM i WHERE a = 3",
                "UPDATE i SET id = id + 100 WHERE a = 4; INSERT INTO i VALUES (3, 'b3', 7)",
                "UPDATE f SET n = 5; DELETE FROM f WHERE id = 2; UPDATE f SET id = 9",
                "INSERT INTO log VALUES ('a'), ('a'), (NULL)",
            ]
        ),
        Scenario(
            title: "pitfall 9: identity columns that are always generated",
            tables: """
                CREATE TABLE i (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
                CREATE TABLE o (k text PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, name text)
                """,
            rows: "INSERT INTO i (name) VALUES ('a'), ('b'), ('c'); INSERT INTO o (k) VALUES ('x'), ('y'), ('z')",
            changes: [
                "INSERT INTO i (name) VALUES ('d'); UPDATE i SET name = 'B' WHERE id = 2; DELETE FROM i WHERE id = 1",
                "UPDATE i SET id = DEFAULT WHERE id = 3; UPDATE i SET name = 'moved' WHERE name = 'c'",
                "UPDATE o SET name = 'n' WHERE k = 'x'; UPDATE o SET n = DEFAULT WHERE k = 'y'",
                "UPDATE o SET k = 'w', n = DEFAULT WHERE k = 'z'; DELETE FROM o WHERE k = 'x'; INSERT INTO o VALUES ('q')",
            ]
        ),
    ]
}
