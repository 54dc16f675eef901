import Cluster
import Foundation
import Postgres

/// The databases that are copied.
extension Servers {
    func makePgbench(_ name: String, scale: Int) async throws {
        tell("making the database: pgbench -i -s \(scale)")
        try await create(name, on: source)
        try await shell(#"pgbench -i -q -s \#(scale) "$SOURCE""#, source: name, target: "postgres")
        try await settle()
    }

    /// `size`: 1 has 8 million rows.
    func makeMixed(_ name: String, size: Double) async throws {
        tell("making a mixed database")
        try await create(name, on: source)
        try await withConnection(to: source.connection(to: name)) { connection in
            try connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'")
            for statement in Self.mixed(size) { try connection.execute(statement) }
        }
        try await settle()
    }

    /// Large objects of so many bytes each, which no compression makes smaller.
    func makeObjects(_ name: String, count: Int, bytes: Int) async throws {
        tell("making \(count) large objects of \(bytes) bytes")
        try await create(name, on: source)
        try await withConnection(to: source.connection(to: name)) { connection in
            let pool = min(bytes, 1 << 20)
            try connection.execute(
                """
                CREATE TEMP TABLE pool AS
                SELECT string_agg(decode(md5(g::text), 'hex'), '') AS bytes FROM generate_series(1, \((pool + 15) / 16)) AS g
                """
            )
            let copies = (bytes + pool - 1) / pool
            for start in stride(from: 0, to: count, by: 1000) {
                try connection.execute(
                    """
                    SELECT lo_from_bytea(0, substr(string_agg(bytes, '' ORDER BY copy), 1, \(bytes)))
                      FROM generate_series(1, \(min(1000, count - start))) AS one, generate_series(1, \(copies)) AS copy, pool
                     GROUP BY one
                    """
                )
            }
        }
        try await settle()
    }

    /// So many tables without rows, with a key and an index each.
    func makeTables(_ name: String, count: Int) async throws {
        tell("making \(count) tables")
        try await create(name, on: source)
        try await withConnection(to: source.connection(to: name)) { connection in
            for start in stride(from: 0, to: count, by: 500) {
                try connection.execute(
                    """
                    DO $$ BEGIN FOR n IN \(start) .. \(min(count, start + 500) - 1) LOOP
                        EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, v text); CREATE INDEX ON t%s (v)', n, n);
                    END LOOP; END $$
                    """
                )
            }
        }
        try await settle()
    }

    private static func mixed(_ size: Double) -> [SQL] {
        func rows(_ count: Double) -> Int { max(1, Int(count * size)) }
        let users = rows(2_000_000)
        return [
            """
            CREATE EXTENSION pg_trgm; CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy', 'elated');
            CREATE DOMAIN app.email AS text CHECK (VALUE ~ '^[^@]+@[^@]+$')
            """,
            """
            CREATE TABLE app.users (id bigint GENERATED ALWAYS AS IDENTITY, uid uuid NOT NULL, name text NOT NULL, email app.email,
                profile jsonb NOT NULL, mood app.mood NOT NULL, created timestamptz NOT NULL, changed timestamp);
            INSERT INTO app.users (uid, name, email, profile, mood, created, changed)
            SELECT md5('u' || g)::uuid, 'user name ' || g || ' é', 'user' || g || '@example.org',
                   jsonb_build_object('lang', (ARRAY['en', 'de', 'fr'])[1 + g % 3], 'age', g % 90,
                       'tags', jsonb_build_array('t' || g % 100, 't' || g % 37), 'bio', repeat(md5(g::text), 2),
                       'score', (g::bigint * 7919 % 10007) / 100.0),
                   (enum_range(NULL::app.mood))[1 + g % 4], timestamptz '2020-01-01' + g * interval '37 s',
                   CASE WHEN g % 3 > 0 THEN timestamp '2023-01-01' + g * interval '11 s' END
              FROM generate_series(1, \(users)) AS g
            """,
            """
            CREATE TABLE app.activities (id bigserial, user_id bigint NOT NULL, kind text NOT NULL, ref uuid NOT NULL, body text,
                payload jsonb, at timestamptz NOT NULL, done timestamptz);
            INSERT INTO app.activities (user_id, kind, ref, body, payload, at, done)
            SELECT 1 + g::bigint * 7919 % \(users), (ARRAY['login', 'view', 'edit', 'share', 'buy', 'logout'])[1 + g % 6],
                   md5('a' || g)::uuid, CASE WHEN g % 4 > 0 THEN E'a body with a tab\\t and ' || md5(g::text) END,
                   jsonb_build_object('ip', '10.' || g % 256 || '.1', 'n', g), timestamptz '2022-01-01' + g * interval '7 s',
                   CASE WHEN g % 5 = 0 THEN timestamptz '2022-01-01' + g * interval '8 s' END
              FROM generate_series(1, \(rows(4_000_000))) AS g
            """,
            """
            DO $$ BEGIN
                EXECUTE (SELECT format('CREATE TABLE app.wide (id int NOT NULL, %s)', string_agg(format('c%s %s', c,
                    (ARRAY['int', 'text', 'bigint', 'date', 'boolean'])[1 + c % 5]), ', ' ORDER BY c)) FROM generate_series(1, 60) AS c);
                EXECUTE (SELECT format('INSERT INTO app.wide SELECT g, %s FROM generate_series(1, \(rows(250_000))) AS g',
                    string_agg(CASE c % 5 WHEN 0 THEN format('nullif(g %% %s, 0)', c + 1) WHEN 1 THEN format('''v'' || g %% %s', c * 13)
                        WHEN 2 THEN format('g::bigint * %s', c * 1000003) WHEN 3 THEN format('date ''2020-01-01'' + g %% %s', c * 7)
                        ELSE format('g %% %s = 0', c) END, ', ' ORDER BY c)) FROM generate_series(1, 60) AS c);
            END $$
            """,
            """
            CREATE TEMP TABLE pool AS
            SELECT string_agg(decode(md5('p' || g), 'hex'), '') AS bytes FROM generate_series(1, 8192) AS g;
            CREATE TABLE app.docs (id uuid NOT NULL, title varchar(200) NOT NULL, raw bytea, doc jsonb NOT NULL, created timestamptz NOT NULL);
            INSERT INTO app.docs
            SELECT md5('d' || g)::uuid, 'document ' || g, substr(bytes, 1 + (g::bigint * 7919 % 120000)::int, 3000 + g % 2000),
                   jsonb_build_object('id', g, 'text', encode(substr(bytes, 1 + (g::bigint * 104729 % 120000)::int, 1800 + g % 750), 'hex')),
                   timestamptz '2021-01-01' + g * interval '1 min'
              FROM generate_series(1, \(rows(200_000))) AS g, pool
            """,
            """
            CREATE TABLE app.measures (id int GENERATED BY DEFAULT AS IDENTITY, val numeric(18, 6) NOT NULL, big numeric, ratio float8,
                small real, tags int[], labels text[], feel app.mood, contact app.email, span tstzrange, addr inet, flags bit(8));
            INSERT INTO app.measures (val, big, ratio, small, tags, labels, feel, contact, span, addr, flags)
            SELECT g * 1.234567, g::numeric ^ 3 / 7, sin(g), g / 3.0, ARRAY[g % 1000, g % 777, g % 50],
                   ARRAY['l' || g % 10, 'x "q" ' || g % 3], (enum_range(NULL::app.mood))[1 + g % 4], 'm' || g % 1000 || '@x.io',
                   tstzrange(timestamptz '2020-01-01' + g * interval '1 s', timestamptz '2020-01-02' + g * interval '1 s'),
                   ('192.168.' || g % 256 || '.1')::inet, (g % 256)::bit(8)
              FROM generate_series(1, \(rows(1_500_000))) AS g
            """,
            """
            ALTER TABLE app.users ADD PRIMARY KEY (id); CREATE UNIQUE INDEX ON app.users (uid); CREATE INDEX ON app.users (lower(email));
            CREATE INDEX ON app.users USING gin (profile jsonb_path_ops); CREATE INDEX ON app.users (created);
            ALTER TABLE app.activities ADD PRIMARY KEY (id); CREATE INDEX ON app.activities (user_id, at);
            CREATE UNIQUE INDEX ON app.activities (ref); CREATE INDEX ON app.activities (at) WHERE done IS NULL;
            ALTER TABLE app.wide ADD PRIMARY KEY (id); CREATE INDEX ON app.wide (c1); ALTER TABLE app.wide ADD CHECK (id > 0);
            ALTER TABLE app.docs ADD PRIMARY KEY (id); CREATE INDEX ON app.docs USING brin (created);
            CREATE INDEX ON app.docs USING gin (title gin_trgm_ops); ALTER TABLE app.measures ADD PRIMARY KEY (id);
            CREATE INDEX ON app.measures USING gin (tags); CREATE INDEX ON app.measures (val);
            ALTER TABLE app.activities ADD FOREIGN KEY (user_id) REFERENCES app.users ON DELETE CASCADE
            """,
            "CREATE VIEW app.open AS SELECT user_id, count(*) AS n FROM app.activities WHERE done IS NULL GROUP BY 1",
            "VACUUM ANALYZE",
        ]
    }
}
