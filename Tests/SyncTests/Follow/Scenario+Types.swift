import Postgres

extension Scenario {
    static let types: [Scenario] = [
        Scenario(
            title: "pitfall 15: values of many types",
            tables: """
                CREATE EXTENSION hstore; CREATE EXTENSION citext;
                CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TYPE pair AS (a int, b text, m mood);
                CREATE DOMAIN positive AS int CHECK (VALUE > 0);
                CREATE TABLE v (id int PRIMARY KEY, a mood, b mood[], c positive, d pair, e pair[], f int4range,
                    g datemultirange, h hstore, i citext, j bytea, k json, l jsonb, m xml, n money, o bit(5), p varbit,
                    q numeric, r float8, s timestamptz, t interval, u uuid, v inet, w tsvector, x text[], y "char",
                    z name, aa timetz, ab char(5), ac positive[], ad regclass)
                """,
            rows: "INSERT INTO v (id) VALUES (1), (2), (3)",
            changes: [
                #"""
                UPDATE v SET a = 'ok', b = '{sad,NULL,happy}', c = 5, d = '(1,"x, y",happy)',
                    e = ARRAY[ROW(1, NULL, 'sad')::pair, NULL], f = '[1,5)', g = '{[2020-01-01,2020-02-01)}', h = 'a=>1, b=>NULL',
                    i = 'MiXed', j = '\x00ff5c', k = '{"b" : 1, "a": [1]}', l = '{"b": 1}', m = '<a b="c">t</a>',
                    n = '12.34', o = B'10101', p = B'1', q = 'NaN', r = '-Infinity', s = '2020-02-29 23:59:59.999999+05',
                    t = '1 year -2 days 03:00', u = '00000000-0000-4000-8000-000000000001', v = '10.0.0.1/8',
                    w = 'a fat cat', x = '{{"a,b",NULL},{"\"\\",""}}', y = 'c', z = 'n', aa = '12:00+02', ab = 'ab',
                    ac = '{1,2}', ad = 'pg_class' WHERE id = 1
                """#,
                "INSERT INTO v SELECT 10, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r FROM v WHERE id = 1",
                "UPDATE v SET h = h || 'c=>3', i = '', j = '', b = '{}', x = '{}', q = 1e100 WHERE id = 1",
                "DELETE FROM v WHERE id = 2; UPDATE v SET d = NULL, e = NULL WHERE id = 10",
            ]
        ),
        Scenario(
            title: "pitfall 15: keys of many types",
            tables: """
                CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE TYPE mood AS ENUM ('sad', 'ok');
                CREATE DOMAIN code AS varchar(9) CHECK (VALUE <> ''); CREATE EXTENSION hstore;
                CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                CREATE TABLE k1 (k citext PRIMARY KEY, n int); CREATE TABLE k2 (k ltree PRIMARY KEY, n int);
                CREATE TABLE k3 (k mood PRIMARY KEY, n int); CREATE TABLE k4 (k int[] PRIMARY KEY, n int);
                CREATE TABLE k5 (k int4range PRIMARY KEY, n int); CREATE TABLE k6 (k code PRIMARY KEY, n int);
                CREATE TABLE k7 (k hstore PRIMARY KEY, n int); CREATE TABLE k8 (k bytea, l bool, m date, n int, PRIMARY KEY (m, k, l));
                CREATE TABLE k9 (k numeric PRIMARY KEY, n int); CREATE TABLE k10 (k text COLLATE blind PRIMARY KEY, n int);
                CREATE TABLE k11 (k char(4) PRIMARY KEY, n int)
                """,
            rows: """
                INSERT INTO k1 VALUES ('One', 0), ('Two', 0); INSERT INTO k2 VALUES ('a.b', 0), ('a.c', 0);
                INSERT INTO k3 VALUES ('sad', 0), ('ok', 0); INSERT INTO k4 VALUES ('{1,2}', 0), ('{}', 0);
                INSERT INTO k5 VALUES ('[1,2)', 0), ('empty', 0); INSERT INTO k6 VALUES ('x', 0), ('y', 0);
                INSERT INTO k7 VALUES ('a=>1', 0), ('b=>2', 0);
                INSERT INTO k8 VALUES ('a', true, '2020-01-01', 0), ('', false, 'infinity', 0);
                INSERT INTO k9 VALUES (1.0, 0), (2, 0); INSERT INTO k10 VALUES ('Abc', 0), ('x', 0);
                INSERT INTO k11 VALUES ('a', 0), ('b', 0)
                """,
            changes: [
                """
                UPDATE k1 SET n = 1; UPDATE k2 SET n = 1; UPDATE k3 SET n = 1; UPDATE k4 SET n = 1; UPDATE k5 SET n = 1;
                UPDATE k6 SET n = 1; UPDATE k7 SET n = 1; UPDATE k8 SET n = 1; UPDATE k9 SET n = 1; UPDATE k10 SET n = 1;
                UPDATE k11 SET n = 1
                """,
                """
                UPDATE k1 SET k = 'ONE' WHERE k = 'one'; UPDATE k2 SET k = 'z' WHERE k = 'a.b';
                UPDATE k4 SET k = '{7}' WHERE k = '{}'; UPDATE k5 SET k = '[9,)' WHERE k = 'empty';
                UPDATE k6 SET k = 'z' WHERE k = 'x'; UPDATE k7 SET k = 'z=>1' WHERE k = 'a=>1'; UPDATE k8 SET k = 'b' WHERE l;
                UPDATE k9 SET k = 1.00 WHERE k = 1; UPDATE k10 SET k = 'aBC' WHERE k = 'abc'; UPDATE k11 SET k = 'c' WHERE k = 'a'
                """,
                "DELETE FROM k10 WHERE k = 'X'; INSERT INTO k10 VALUES ('X', 5); UPDATE k10 SET n = 6 WHERE k = 'x'",
                """
                DELETE FROM k1 WHERE k = 'two'; DELETE FROM k2 WHERE k = 'a.c'; DELETE FROM k3 WHERE k = 'ok';
                DELETE FROM k4 WHERE k = '{7}'; DELETE FROM k5 WHERE k = '[9,)'; DELETE FROM k6 WHERE k = 'y';
                DELETE FROM k7 WHERE k = 'b=>2'; DELETE FROM k8 WHERE NOT l; DELETE FROM k9 WHERE k = 2; DELETE FROM k11
                """,
            ]
        ),
        Scenario(
            title: "rows without a key that are equal and not the same",
            tables: """
                CREATE EXTENSION citext; CREATE TABLE e (a interval, b numeric, c float8, d jsonb, e bpchar, f citext);
                ALTER TABLE e REPLICA IDENTITY FULL
                """,
            rows: """
                INSERT INTO e VALUES ('1 mon', 1.0, 0, '1.0', 'a', 'A'), ('30 days', 1.00, '-0', '1.00', 'a ', 'a'),
                    ('720:00', 1, 0, '1', 'a  ', 'A'), (NULL, 1.0, 0, '1.0', 'a', 'A')
                """,
            changes: [
                "DELETE FROM e WHERE a::text = '720:00:00'; UPDATE e SET c = 5 WHERE b::text = '1.00'",
                """
                INSERT INTO e SELECT a, b, c, d, e, f FROM e; INSERT INTO e (a) VALUES ('24:00'), ('1 day'), ('24:00');
                DELETE FROM e WHERE a::text = '1 day'; UPDATE e SET b = 7 WHERE a::text = '24:00:00'
                """,
                "UPDATE e SET b = 1.000 WHERE b::text = '1.0'; UPDATE e SET f = 'a' WHERE f::text = 'A' COLLATE \"C\"",
            ]
        ),
        Scenario(
            title: "rows without a key that differ in blanks at the end",
            tables: """
                CREATE DOMAIN padded AS bpchar; CREATE TABLE b (c bpchar, d padded, e bpchar[], n int);
                ALTER TABLE b REPLICA IDENTITY FULL
                """,
            rows: """
                INSERT INTO b VALUES ('a', 'b', '{a}', 1), ('a ', 'b', '{a}', 1), ('a', 'b ', '{a}', 1), ('a', 'b', '{"a "}', 1)
                """,
            changes: [
                "UPDATE b SET n = 2 WHERE concat(c) = 'a '", "DELETE FROM b WHERE concat(d) = 'b '",
                "UPDATE b SET n = 3 WHERE e::text = '{\"a \"}'",
            ]
        ),
        Scenario(
            title: "pitfall 15: domains that refuse NULL",
            tables: """
                CREATE DOMAIN must AS text NOT NULL; CREATE DOMAIN should AS must CHECK (VALUE IS DISTINCT FROM 'x');
                CREATE DOMAIN checked AS int CHECK (VALUE IS NOT NULL);
                CREATE TABLE m (id int PRIMARY KEY, a must, b should, c checked, n int, big text);
                ALTER TABLE m ALTER big SET STORAGE EXTERNAL;
                CREATE TABLE g (id int PRIMARY KEY, n int, a checked GENERATED ALWAYS AS (n + 1) STORED)
                """,
            rows: """
                INSERT INTO m SELECT i, 'a', 'b', i, 0, repeat('x', 9000) FROM generate_series(1, 9) i;
                INSERT INTO g SELECT i, i FROM generate_series(1, 9) i
                """,
            changes: [
                "DELETE FROM m WHERE id = 1; UPDATE m SET n = 1 WHERE id = 2; UPDATE m SET a = 'z', big = '' WHERE id = 3",
                "UPDATE m SET id = 44 WHERE id = 4; DELETE FROM m WHERE id = 5; INSERT INTO m VALUES (5, 'i', 'j', 1, 2)",
                "DELETE FROM g WHERE id = 1; UPDATE g SET n = 99 WHERE id = 2; INSERT INTO g VALUES (100, 1)",
            ]
        ),
    ]

    static let shapes: [Scenario] = [
        Scenario(
            title: "pitfall 8: generated columns",
            tables: """
                CREATE TABLE g (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) STORED, c text, d int);
                CREATE TABLE h (b int GENERATED ALWAYS AS (d * 2) STORED, d int)
                """,
            rows: "INSERT INTO g (a, c) VALUES (1, 'x'), (2, 'y')",
            changes: [
                "INSERT INTO g (a, c) VALUES (3, 'z'); UPDATE g SET a = 10 WHERE a = 1; UPDATE g SET c = 'w' WHERE a = 2",
                "DELETE FROM g WHERE a = 2; INSERT INTO h (d) VALUES (4), (5)",
            ]
        ),
        Scenario(
            title: "columns in another order, dropped on the source, and added on the target",
            tables: """
                CREATE TABLE s (gone int, id int PRIMARY KEY, a text, lost text, b int, c timestamp);
                ALTER TABLE s DROP COLUMN gone; ALTER TABLE s DROP COLUMN lost
                """,
            targetTables: "CREATE TABLE s (c timestamp, extra int DEFAULT 5, b int, a text, id int PRIMARY KEY)",
            rows: "INSERT INTO s (id, a, b, c) SELECT i, 'a' || i, i, '2020-01-01' FROM generate_series(1, 5) i",
            changes: [
                "INSERT INTO s (id, a, b, c) VALUES (10, 'x', 1, 'infinity'), (11, NULL, NULL, NULL)",
                "UPDATE s SET a = NULL WHERE id = 1; UPDATE s SET id = 20 WHERE id = 2; DELETE FROM s WHERE id = 3",
            ]
        ),
        Scenario(
            title: "a column that is added in the middle of a group which has to be replayed",
            tables: "CREATE TABLE c (id int PRIMARY KEY, u text UNIQUE)",
            targetTables: "CREATE TABLE c (id int PRIMARY KEY, u text UNIQUE, added int)",
            rows: "INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, 'c')",
            changes: [
                "UPDATE c SET u = 't' WHERE id = 1; UPDATE c SET u = 'a' WHERE id = 2; UPDATE c SET u = 'b' WHERE id = 1",
                "ALTER TABLE c ADD COLUMN added int; UPDATE c SET added = 5 WHERE id = 3; INSERT INTO c VALUES (4, 'd', 4)",
            ]
        ),
        Scenario(
            title: "pitfall 13: partitions, with rows that move between them",
            tables: """
                CREATE TABLE p (id int, day date, n int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
                CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
                CREATE TABLE p2 (n int, extra int, day date NOT NULL, id int NOT NULL); ALTER TABLE p2 DROP COLUMN extra;
                ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
                CREATE TABLE p3 PARTITION OF p DEFAULT PARTITION BY HASH (id);
                CREATE TABLE p3a PARTITION OF p3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
                CREATE TABLE p3b PARTITION OF p3 FOR VALUES WITH (MODULUS 2, REMAINDER 1)
                """,
            rows: """
                INSERT INTO p (id, day, n) SELECT i, '2020-01-01'::date + i * 100, i FROM generate_series(1, 12) i
                """,
            changes: [
                "UPDATE p SET day = day + 400 WHERE id < 5; UPDATE p SET n = n + 1; DELETE FROM p WHERE id = 6",
                "INSERT INTO p VALUES (100, '2020-05-05', 0), (101, '2029-01-01', 0); UPDATE p SET id = id + 1000 WHERE id = 7",
                "UPDATE p SET day = '2021-06-06' WHERE id = 100; DELETE FROM p2 WHERE id = 100",
                "TRUNCATE p; INSERT INTO p VALUES (1, '2020-05-05', 1), (2, '2050-01-01', 2)",
            ]
        ),
        Scenario(
            title: "inheritance",
            tables: """
                CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (more text, PRIMARY KEY (id)) INHERITS (a)
                """,
            rows: "INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 1, 'x'), (3, 3, 'y')",
            changes: [
                "UPDATE a SET n = n + 10; UPDATE ONLY a SET n = 0 WHERE id = 2; DELETE FROM ONLY a WHERE id = 1",
                "INSERT INTO b VALUES (2, 2, 'z'); UPDATE b SET id = 1000 WHERE id = 1",
                "TRUNCATE ONLY a; INSERT INTO a VALUES (7, 7)",
            ]
        ),
        Scenario(
            title: "names that are hostile",
            tables: #"""
                CREATE SCHEMA "we""ird \ schema"; CREATE TYPE "we""ird \ schema"."Ty'pe" AS ENUM ('it''s', '"');
                CREATE TABLE "we""ird \ schema"."Select ""t""" ("s" int, "t" text, "old" int, "r" int, "a ""b" int, "é" int,
                    "é" int, "$1" int, "ty" "we""ird \ schema"."Ty'pe", "ctid " int,
                    "x23456789012345678901234567890123456789012345678901234567890123" int, PRIMARY KEY ("s", "é"));
                CREATE TABLE "s" ("s" int PRIMARY KEY); CREATE TABLE "t" ("t" int, "r" text); ALTER TABLE t REPLICA IDENTITY FULL
                """#,
            rows: #"""
                INSERT INTO "we""ird \ schema"."Select ""t""" SELECT i, 't', i, i, i, 1, 2, i, 'it''s', i, i FROM generate_series(1, 5) i;
                INSERT INTO s VALUES (1), (2); INSERT INTO t VALUES (1, 'r'), (1, 'r')
                """#,
            changes: [
                #"UPDATE "we""ird \ schema"."Select ""t""" SET "é" = "é" + 5, ty = '"', old = 0 WHERE s < 4"#,
                #"UPDATE "we""ird \ schema"."Select ""t""" SET "é" = 77 WHERE s = 2"#,
                #"DELETE FROM "we""ird \ schema"."Select ""t""" WHERE s = 1; DELETE FROM s WHERE s = 1; UPDATE s SET s = 9"#,
                "UPDATE t SET r = NULL WHERE ctid = (SELECT min(ctid) FROM t)",
            ]
        ),
        Scenario(
            title: "tables without columns, or with generated ones alone",
            tables: """
                CREATE TABLE z (); CREATE TABLE y (a int); ALTER TABLE y DROP COLUMN a;
                ALTER TABLE z REPLICA IDENTITY FULL; ALTER TABLE y REPLICA IDENTITY FULL;
                CREATE TABLE x (a int GENERATED ALWAYS AS (1 + 1) STORED)
                """,
            rows: "INSERT INTO z DEFAULT VALUES; INSERT INTO y SELECT FROM generate_series(1, 3)",
            changes: [
                "INSERT INTO z SELECT FROM generate_series(1, 4); INSERT INTO y DEFAULT VALUES; INSERT INTO x DEFAULT VALUES",
                "DELETE FROM z WHERE ctid = (SELECT min(ctid) FROM z); DELETE FROM y; INSERT INTO z DEFAULT VALUES",
            ]
        ),
        Scenario(
            title: "a table of two hundred columns",
            tables: """
                DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE wide (id int PRIMARY KEY, '
                    || string_agg(format('c%s text', i), ', ') || ')' FROM generate_series(1, 200) i); END $$
                """,
            rows: "INSERT INTO wide (id, c1, c200) SELECT i, 'first', 'last' FROM generate_series(1, 50) i",
            changes: [
                "UPDATE wide SET c100 = 'middle', c1 = NULL WHERE id < 40; DELETE FROM wide WHERE id > 45",
                "INSERT INTO wide (id, c150) VALUES (1000, 'x'); UPDATE wide SET id = id + 1 WHERE id = 1000",
            ]
        ),
    ]

    static let toast: [Scenario] = [
        Scenario(
            title: "pitfall 1: large values that are not sent again",
            tables: """
                CREATE TABLE b (id int PRIMARY KEY, big text, note text, other text);
                ALTER TABLE b ALTER big SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL
                """,
            rows: """
                INSERT INTO b SELECT i, repeat('x' || i, 4000), 'n', repeat('y' || i, 4000) FROM generate_series(1, 9) i
                """,
            changes: [
                "UPDATE b SET note = 'changed' WHERE id < 4; UPDATE b SET other = repeat('new', 3000) WHERE id = 3",
                "UPDATE b SET big = repeat('later', 2000) WHERE id = 3; UPDATE b SET note = 'again' WHERE id = 3",
                "INSERT INTO b VALUES (20, repeat('z', 9000), 'i', NULL); UPDATE b SET note = 'j' WHERE id = 20",
                "DELETE FROM b WHERE id = 5; INSERT INTO b VALUES (5, repeat('q', 9000)); UPDATE b SET note = 'r' WHERE id = 5",
                "UPDATE b SET id = 60 WHERE id = 6; UPDATE b SET note = 's' WHERE id = 60",
                "UPDATE b SET note = 'gone' WHERE id = 7; DELETE FROM b WHERE id = 7",
            ]
        ),
        Scenario(
            title: "pitfall 1: large values under REPLICA IDENTITY FULL, with and without a key",
            tables: """
                CREATE TABLE f (id int PRIMARY KEY, big text, note text); CREATE TABLE g (id int, big text, note text);
                ALTER TABLE f ALTER big SET STORAGE EXTERNAL, REPLICA IDENTITY FULL;
                ALTER TABLE g ALTER big SET STORAGE EXTERNAL, REPLICA IDENTITY FULL
                """,
            rows: """
                INSERT INTO f SELECT i, repeat('x' || i, 4000), 'n' FROM generate_series(1, 5) i;
                INSERT INTO g SELECT 1, repeat('x', 9000), 'n' FROM generate_series(1, 3) i
                """,
            changes: [
                "UPDATE f SET note = 'm' WHERE id < 3; UPDATE f SET id = 30 WHERE id = 3; DELETE FROM f WHERE id = 4",
                "UPDATE g SET note = 'm' WHERE ctid = (SELECT min(ctid) FROM g); DELETE FROM g WHERE note = 'm'",
                "UPDATE g SET note = 'k', id = 5",
            ]
        ),
        Scenario(
            title: "pitfall 1: a key that is itself a large value",
            tables: """
                CREATE TABLE k (key text PRIMARY KEY, note text, n int); ALTER TABLE k ALTER key SET STORAGE EXTERNAL
                """,
            rows: "INSERT INTO k SELECT repeat(i::text, 2300), 'n', i FROM generate_series(1, 5) i",
            changes: [
                "UPDATE k SET note = 'm' WHERE n < 3; UPDATE k SET n = 10 WHERE n = 1",
                "UPDATE k SET key = repeat('z', 2300) WHERE n = 2; UPDATE k SET note = 'z' WHERE n = 2; DELETE FROM k WHERE n = 3",
            ]
        ),
    ]
}
