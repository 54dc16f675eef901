import Foundation
import Postgres
import TestSupport
import Testing

@testable import Cluster

@Suite(.temporaryDatabase)
struct GeneratedRowsTests {
    private var place: ConnectionString { TemporaryDatabase.current }

    private func fill(
        _ table: String,
        _ rows: Int,
        seed: UInt64 = 1,
        _ change: (inout GeneratedRows.Wish) -> Void = { _ in }
    ) async throws -> Int {
        var wish = GeneratedRows.Wish(rows: rows, seed: seed, days: 19_000...20_000)
        change(&wish)
        let shape = try await GeneratedRows.table(named: table, at: place)
        return try await GeneratedRows.copy(into: shape, wish, at: place) { _ in }
    }

    @Test func `a table with keys, checks, an enum and foreign keys takes all rows at the first try`() async throws {
        try await execute(
            place,
            """
            CREATE TYPE state AS ENUM ('new', 'it''s, "paid"', 'sent');
            CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@ ]+@[^@ ]+$');
            CREATE TABLE teams (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE);
            CREATE TABLE users (
                id uuid PRIMARY KEY, email email NOT NULL UNIQUE, team_id int REFERENCES teams,
                boss uuid REFERENCES users, born date CHECK (born > '1930-01-01'), level smallint NOT NULL
                    CHECK (level BETWEEN 1 AND 7), code char(6) NOT NULL CHECK (code ~ '^[A-Z]{2}\\d{4}$'));
            CREATE TABLE orders (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id uuid NOT NULL REFERENCES users,
                state state NOT NULL, price numeric(8, 2) CHECK (price > 0), discount numeric(8, 2),
                total numeric GENERATED ALWAYS AS (price * 2) STORED, number text NOT NULL UNIQUE,
                begins timestamptz NOT NULL, ends timestamptz NOT NULL, tags text[], facts jsonb,
                CHECK (discount <= price), CHECK (ends > begins));
            CREATE TABLE members (team_id int REFERENCES teams, user_id uuid REFERENCES users, PRIMARY KEY (team_id, user_id));
            """
        )
        #expect(try await fill("teams", 50) == 50)
        #expect(try await fill("users", 2000) == 2000)
        #expect(try await fill("orders", 10_000) { $0.skew = 1 } == 10_000)
        #expect(try await fill("members", 20_000) == 20_000)
        #expect(try await ask(place, "SELECT count(*) FROM orders JOIN users ON users.id = user_id") == "10000")
        #expect(try await ask(place, "SELECT count(DISTINCT state) FROM orders") == "3")
        let bosses = "SELECT count(*) > 1000 FROM users AS u JOIN users AS b ON b.id = u.boss" as SQL
        #expect(try await ask(place, bosses) == "t")
    }

    @Test func `the same seed makes the same rows, and another one others`() async throws {
        func digest(_ seed: UInt64) async throws -> String? {
            try await execute(
                place,
                "DROP TABLE IF EXISTS t; CREATE TABLE t (a int, name text, at timestamptz, u uuid, j jsonb)"
            )
            _ = try await fill("t", 500, seed: seed)
            return try await ask(place, "SELECT md5(string_agg(t::text, ',' ORDER BY ctid)) FROM t")
        }
        let first = try await digest(7)
        #expect(try await digest(7) == first)
        #expect(try await digest(8) != first)
    }

    @Test func `rows come to a table that has some already`() async throws {
        try await execute(
            place,
            """
            CREATE TABLE t (id int PRIMARY KEY, email text NOT NULL, kind text NOT NULL, place int NOT NULL, UNIQUE (kind, place));
            CREATE UNIQUE INDEX ON t (lower(email))
            """
        )
        for round in 1...3 {
            #expect(try await fill("t", 2000) == 2000)
            #expect(try await ask(place, "SELECT count(*) FROM t") == "\(round * 2000)")
        }
    }

    @Test func `partitions and exclusion constraints are kept`() async throws {
        try await execute(
            place,
            """
            CREATE TABLE p (at date NOT NULL, kind text NOT NULL, a int) PARTITION BY RANGE (at);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2020-03-01') PARTITION BY LIST (kind);
            CREATE TABLE p11 PARTITION OF p1 FOR VALUES IN ('x', 'y');
            CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2020-06-01') TO ('2020-07-01');
            CREATE TABLE r (during tstzrange NOT NULL, EXCLUDE USING gist (during WITH &&))
            """
        )
        #expect(try await fill("p", 3000) == 3000)
        #expect(try await ask(place, "SELECT count(*) > 100 FROM p11") == "t")
        #expect(try await fill("r", 3000) == 3000)
    }

    @Test func `every built-in type has values`() async throws {
        try await execute(
            place,
            """
            CREATE TABLE t (a bool NOT NULL, b bytea NOT NULL, c "char" NOT NULL, d name NOT NULL, e int8 NOT NULL,
                f int2 NOT NULL, g int4 NOT NULL, h text NOT NULL, i oid NOT NULL, j json NOT NULL, k xml NOT NULL,
                l point NOT NULL, m lseg NOT NULL, n box NOT NULL, o float4 NOT NULL, p float8 NOT NULL, q money NOT NULL,
                r circle NOT NULL, s macaddr NOT NULL, t macaddr8 NOT NULL, u inet NOT NULL, v cidr NOT NULL,
                w bpchar NOT NULL, x varchar(3) NOT NULL, y date NOT NULL, z time NOT NULL, aa timestamp(0) NOT NULL,
                ab timestamptz NOT NULL, ac interval NOT NULL, ad timetz NOT NULL, ae bit(5) NOT NULL,
                af varbit(9) NOT NULL, ag numeric NOT NULL, ah uuid NOT NULL, ai tsvector NOT NULL, aj jsonb NOT NULL,
                ak int4range NOT NULL, al numrange NOT NULL, am tsrange NOT NULL, an daterange NOT NULL,
                ao int8multirange NOT NULL, ap text[] NOT NULL, aq timestamptz[] NOT NULL, ar numeric(30, 20) NOT NULL,
                at numeric(3, 3) NOT NULL, au numeric(2, 0) NOT NULL, av json[] NOT NULL)
            """
        )
        #expect(try await fill("t", 1000) == 1000)
    }

    @Test func `what cannot be is said, and nothing is left`() async throws {
        try await execute(
            place,
            """
            CREATE TABLE few (a bool PRIMARY KEY);
            CREATE TABLE never (a int CHECK (a * 0 = 1));
            CREATE TABLE child (few bool NOT NULL REFERENCES few);
            CREATE TABLE pair (a int, b int);
            CREATE TABLE odd (a pair NOT NULL);
            CREATE VIEW v AS SELECT 1 AS a
            """
        )
        for (table, message) in [
            ("few", "cannot take 10 rows"), ("never", "satisfy its conditions"), ("child", "where there is no row"),
            ("odd", "could not make values for column \"a\""), ("v", "is not a table"),
            ("nowhere", "there is no table"),
        ] {
            let error = await #expect(throws: PostgresError.self) { try await fill(table, 10) { $0.nullShare = 0 } }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
        #expect(try await ask(place, "SELECT count(*) FROM few") == "0")
        #expect(try await fill("few", 10) { $0.takesFewer = true } == 2)
        #expect(try await fill("never", 10) { $0.nullShare = 1 } == 10)
    }

    @Test func `hostile names are names`() async throws {
        let name = Identifier(#"o'dd "t" ✓ %s"#)
        try await execute(
            place,
            "CREATE TABLE \(name) (\"select\" int PRIMARY KEY, \"a \"\"b\"\" 'c'\" text NOT NULL CHECK (\"a \"\"b\"\" 'c'\" <> ''))"
        )
        #expect(try await fill(name.quoted, 100) == 100)
    }

    @Test func `CSV can be loaded again`() async throws {
        try await execute(
            place,
            "CREATE TABLE t (id int PRIMARY KEY, \"a,b\" text[], j jsonb, s text); CREATE TABLE u (LIKE t)"
        )
        let shape = try await GeneratedRows.table(named: "t", at: place)
        var bytes: [UInt8] = []
        let wish = GeneratedRows.Wish(rows: 1000, seed: 3, days: 0...1)
        try await GeneratedRows.csv(of: shape, wish, at: place) { block, _ in bytes += block }
        try await withConnection(to: place) { connection in
            _ = try connection.copyIn("COPY u FROM STDIN (FORMAT csv, HEADER)") { writer throws(PostgresError) in
                try writer.write(bytes)
            }
        }
        _ = try await fill("t", 1000, seed: 3)
        #expect(
            try await ask(place, "SELECT count(*) FROM u JOIN t USING (id) WHERE u.s IS NOT DISTINCT FROM t.s")
                == "1000"
        )
    }
}
