import Postgres

extension Scenario {
    /// What other movers lost or stumbled over, as far as the scenarios of the other files do not show it.
    static let pitfalls: [Scenario] = [
        Scenario(
            title:
                "pitfall 1: large values under an index as replica identity, in its key, and in a partitioned table without a key",
            tables: """
                CREATE TABLE i (id int NOT NULL, big text, other text, note text); CREATE UNIQUE INDEX i_index ON i (id);
                ALTER TABLE i REPLICA IDENTITY USING INDEX i_index, ALTER big SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;
                CREATE TABLE k (a text NOT NULL, b int NOT NULL, big text, note text); CREATE UNIQUE INDEX k_index ON k (b, a);
                ALTER TABLE k REPLICA IDENTITY USING INDEX k_index, ALTER a SET STORAGE EXTERNAL, ALTER big SET STORAGE EXTERNAL;
                CREATE TABLE p (id int, big text, note text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (5);
                CREATE TABLE p2 PARTITION OF p DEFAULT; ALTER TABLE p REPLICA IDENTITY FULL;
                ALTER TABLE p1 REPLICA IDENTITY FULL, ALTER big SET STORAGE EXTERNAL;
                ALTER TABLE p2 REPLICA IDENTITY FULL, ALTER big SET STORAGE EXTERNAL
                """,
            rows: """
                INSERT INTO i SELECT i, repeat('x' || i, 4000), repeat('y' || i, 4000), 'n' FROM generate_series(1, 6) i;
                INSERT INTO k SELECT repeat(i::text, 2300), i, repeat('x' || i, 4000), 'n' FROM generate_series(1, 6) i;
                INSERT INTO p SELECT i, repeat('x' || i, 4000), 'n' FROM generate_series(1, 9) i
                """,
            changes: [
                "UPDATE i SET note = 'm'; UPDATE i SET id = 10 WHERE id = 1; UPDATE i SET other = 'short', note = 'o' WHERE id = 2",
                "UPDATE i SET big = NULL WHERE id = 2; UPDATE i SET note = 'p' WHERE id = 2; DELETE FROM i WHERE id = 3",
                "UPDATE k SET note = 'm'; UPDATE k SET b = 70 WHERE b = 1; UPDATE k SET a = repeat('z', 2300) WHERE b = 2",
                "UPDATE k SET note = 'o' WHERE b = 2; DELETE FROM k WHERE b = 3; UPDATE k SET big = 'short' WHERE b = 70",
                "UPDATE p SET note = 'm' WHERE id < 7; UPDATE p SET id = 100 WHERE id = 1; DELETE FROM p WHERE id = 2",
                "UPDATE p SET note = 'o' WHERE id = 100; UPDATE p SET big = NULL WHERE id = 8",
            ]
        ),
        Scenario(
            title: "pitfall 1: an insert, a delete and updates that leave large values alone, in one transaction",
            tables:
                "CREATE TABLE b (id int PRIMARY KEY, big text, n int); ALTER TABLE b ALTER big SET STORAGE EXTERNAL",
            rows: "INSERT INTO b SELECT i, repeat('x' || i, 4000), 0 FROM generate_series(1, 9) i",
            changes: [
                """
                BEGIN; INSERT INTO b VALUES (20, repeat('a', 9000), 1); UPDATE b SET n = 2 WHERE id = 20; UPDATE b SET id = 21 WHERE id = 20;
                UPDATE b SET n = 3 WHERE id = 21; DELETE FROM b WHERE id = 1; INSERT INTO b VALUES (1, repeat('b', 9000), 4);
                UPDATE b SET n = 5 WHERE id = 1; COMMIT
                """,
                """
                BEGIN; UPDATE b SET n = 6; UPDATE b SET big = repeat('c', 9000) WHERE id < 4; UPDATE b SET n = 7;
                UPDATE b SET big = NULL WHERE id = 3; UPDATE b SET n = 8; COMMIT
                """,
            ]
        ),
        Scenario(
            title: "pitfall 4: keys that swap, rotate and move up in one statement, in tables of several lanes",
            tables: """
                CREATE TABLE a (id int PRIMARY KEY, name text); CREATE TABLE b (x int, y text, n int, PRIMARY KEY (x, y));
                CREATE TABLE c (id int, name text, UNIQUE (id) DEFERRABLE); ALTER TABLE c REPLICA IDENTITY FULL
                """,
            rows: """
                INSERT INTO a SELECT i, 'a' || i FROM generate_series(1, 20) i ORDER BY i DESC;
                INSERT INTO b SELECT i, 'b' || i, 0 FROM generate_series(1, 20) i; INSERT INTO c SELECT i, 'c' || i FROM generate_series(1, 9) i
                """,
            changes: [
                "UPDATE a SET id = id + 1; UPDATE a SET id = id + 100 WHERE id > 10; UPDATE c SET id = id % 9 + 1",
                """
                BEGIN; UPDATE a SET id = 0 WHERE id = 2; UPDATE a SET id = 2 WHERE id = 3; UPDATE a SET id = 3 WHERE id = 0;
                UPDATE b SET y = 'tmp' WHERE x = 1; UPDATE b SET x = 1, y = 'b1' WHERE x = 2; UPDATE b SET x = 2, y = 'b2' WHERE y = 'tmp';
                UPDATE c SET id = 10 - id; UPDATE b SET n = n + 1; UPDATE a SET name = name || '!'; COMMIT
                """,
                "DELETE FROM a WHERE id = 4; UPDATE a SET id = 4 WHERE id = 5; INSERT INTO a VALUES (5, 'new'); UPDATE a SET id = 6000 WHERE id = 4",
                "UPDATE c SET id = CASE id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE id END; UPDATE b SET x = -x; UPDATE b SET x = x - 1",
            ]
        ),
        Scenario(
            title: "pitfall 5: TRUNCATE of several tables, with CASCADE and RESTART IDENTITY, among other changes",
            tables: """
                CREATE TABLE a (id serial PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
                CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b); CREATE TABLE d (id int); CREATE TABLE e (id int PRIMARY KEY);
                CREATE TABLE loop1 (id int PRIMARY KEY, other int);
                CREATE TABLE loop2 (id int PRIMARY KEY, other int REFERENCES loop1);
                ALTER TABLE loop1 ADD FOREIGN KEY (other) REFERENCES loop2; CREATE TABLE own (id int PRIMARY KEY, up int REFERENCES own)
                """,
            rows: """
                INSERT INTO a (n) SELECT i FROM generate_series(1, 5) i; INSERT INTO b SELECT i, i FROM generate_series(1, 5) i;
                INSERT INTO c SELECT i, i FROM generate_series(1, 5) i; INSERT INTO d SELECT 1; INSERT INTO e SELECT 1;
                INSERT INTO loop1 VALUES (1); INSERT INTO loop2 VALUES (1, 1); UPDATE loop1 SET other = 1;
                INSERT INTO own VALUES (1, 1), (2, 1)
                """,
            changes: [
                "INSERT INTO a (n) VALUES (9); TRUNCATE a RESTART IDENTITY CASCADE; INSERT INTO a (n) VALUES (1); INSERT INTO b VALUES (1, 1)",
                "BEGIN; INSERT INTO d VALUES (2); TRUNCATE d, e; INSERT INTO e VALUES (7); TRUNCATE d; INSERT INTO d VALUES (3); COMMIT",
                "TRUNCATE loop1, loop2; TRUNCATE own; INSERT INTO own VALUES (1, 1); INSERT INTO loop1 VALUES (2); INSERT INTO loop2 VALUES (2, 2)",
                "BEGIN; TRUNCATE c; INSERT INTO c VALUES (1, 1); ROLLBACK; INSERT INTO c VALUES (8, 1)",
                "TRUNCATE a, b, c, d, e",
            ]
        ),
        Scenario(
            title:
                "pitfall 12: unique and excluded values that go round in one statement, and from a deleted row to a new one",
            tables: """
                CREATE TABLE u (id int PRIMARY KEY, a text UNIQUE, b int UNIQUE DEFERRABLE, c int, d int, UNIQUE (c, d) DEFERRABLE INITIALLY DEFERRED);
                CREATE TABLE e (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&) DEFERRABLE);
                CREATE TABLE part (id int PRIMARY KEY, a text); CREATE UNIQUE INDEX ON part (lower(a)) WHERE id < 100
                """,
            rows: """
                INSERT INTO u SELECT i, 'a' || i, i, i, i FROM generate_series(1, 9) i;
                INSERT INTO e SELECT i, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 9) i;
                INSERT INTO part SELECT i, 'a' || i FROM generate_series(1, 9) i
                """,
            changes: [
                "UPDATE u SET b = b % 9 + 1; UPDATE u SET c = 10 - c, d = 10 - d; UPDATE e SET r = int4range(lower(r) + 10, upper(r) + 10)",
                "BEGIN; DELETE FROM u WHERE id = 1; INSERT INTO u VALUES (100, 'a1', 50, 50, 50); DELETE FROM u WHERE id = 2; UPDATE u SET a = 'a2' WHERE id = 3; INSERT INTO u VALUES (2, 'a3', 51, 51, 51); COMMIT",
                "BEGIN; DELETE FROM e WHERE id = 5; INSERT INTO e VALUES (500, '[60,65)'), (501, '[65,70)'); DELETE FROM e WHERE id = 500; UPDATE e SET r = '[60,70)' WHERE id = 501; COMMIT",
                "BEGIN; DELETE FROM part WHERE id = 1; INSERT INTO part VALUES (50, 'A1'); UPDATE part SET id = 200 WHERE id = 2; INSERT INTO part VALUES (51, 'A2'); COMMIT",
            ]
        ),
        Scenario(
            title: "pitfall 19: parts of a large transaction that are rolled back, in savepoints within savepoints",
            tables:
                "CREATE TABLE s (id int PRIMARY KEY, n int, big text); ALTER TABLE s ALTER big SET STORAGE EXTERNAL",
            rows: "INSERT INTO s SELECT i, 0, repeat('x', 3000) FROM generate_series(1, 50) i",
            changes: [
                """
                BEGIN; INSERT INTO s SELECT i, 1, 'kept' FROM generate_series(100, 3000) i; SAVEPOINT a; UPDATE s SET n = 2;
                SAVEPOINT b; DELETE FROM s WHERE id % 2 = 0; ROLLBACK TO b; UPDATE s SET big = repeat('y', 3000) WHERE id < 5; RELEASE b;
                SAVEPOINT c; TRUNCATE s; ROLLBACK TO c; UPDATE s SET n = 3 WHERE id > 2000; SAVEPOINT d; INSERT INTO s VALUES (-1, 9, 'gone');
                ROLLBACK TO a; UPDATE s SET n = 5 WHERE id < 10; DELETE FROM s WHERE id = 100; COMMIT
                """,
                "BEGIN; UPDATE s SET n = 77; SAVEPOINT a; DELETE FROM s; ROLLBACK TO a; ROLLBACK",
            ]
        ),
    ]
}
