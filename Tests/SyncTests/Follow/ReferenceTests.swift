import Postgres
import TestSupport
import Testing

@testable import Sync

/// Values that are names of other objects, and such whose text depends on settings.
struct ReferenceTests {
    @Test func `names of other objects arrive, whatever the source's settings are`() async throws {
        try await Way.with(tables: "\(Self.ownSettings); \(Self.references)") { way in
            var way = way
            way.isBinary = false
            try await way.follow { [way] follower, _ in
                try await way.write([
                    """
                    INSERT INTO r VALUES (1, 'customer', 'twice(int)', 'once', 'public.<+>(int,int)', 'mood', 'pg_monitor',
                        'shop', 'words', 'plain', 'blind', '{customer,shop.customer}', 0.1::float8 + 0.2, '1 year -2 days',
                        '2020-02-03 04:05:06+00', '\\x00ff', array['NULL', NULL])
                    """,
                    """
                    UPDATE r SET a = 'shop.customer', j = NULL WHERE id = 1;
                    INSERT INTO r (id, a, b, k) VALUES (2, '4294967295', '-', '{-,99999}'), (3, '-', '99999', NULL);
                    INSERT INTO r (id) VALUES (4); UPDATE r SET id = 5, a = 99999 WHERE id = 4
                    """,
                ])
                follower.release()
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
            let answer = try await ask(way.places.target, "SELECT a = 'shop.customer'::regclass FROM r WHERE id = 1")
            #expect(answer == "t")
        }
    }

    /// Settings of the database under which the text of values looks otherwise.
    private static let ownSettings: SQL = """
        DO $$ DECLARE setting text; BEGIN
          FOREACH setting IN ARRAY ARRAY['search_path = shop, public', 'datestyle = ''SQL, DMY''',
              'intervalstyle = sql_standard', 'timezone = ''Asia/Tokyo''', 'extra_float_digits = -5', 'bytea_output = escape',
              'array_nulls = off']
          LOOP EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting); END LOOP;
        END $$
        """

    /// One column of each type that names objects, and a few whose text depends on settings.
    private static let references: SQL = """
        CREATE SCHEMA shop; CREATE TABLE customer (id int); CREATE TABLE shop.customer (id int);
        CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
        CREATE FUNCTION once() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';
        CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = plus); CREATE TYPE mood AS ENUM ('ok');
        CREATE TEXT SEARCH CONFIGURATION words (COPY = simple); CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple);
        CREATE COLLATION blind FROM "C";
        CREATE TABLE r (id int PRIMARY KEY, a regclass, b regprocedure, c regproc, d regoperator, e regtype, f regrole,
            g regnamespace, h regconfig, i regdictionary, j regcollation, k regclass[], l float8, m interval,
            n timestamptz, o bytea, p text[])
        """
}
