import Postgres
import TestSupport

/// The database of a storm: small, with what is hard to carry over.
///
/// Every operation is one transaction that writes its number into `ledger` and into the sum of `chain`, and does something
/// else besides. So what was acknowledged can be told from outside, and what got lost shows in one of the tables.
enum StormDatabase {
    /// How many sessions write.
    static let writers = 3

    /// The tables, and the operation `storm.op(writer, n, choice)`.
    static let definitions: SQL = """
        CREATE SCHEMA storm;
        CREATE TABLE storm.ledger (writer int, n bigint, kind int NOT NULL, PRIMARY KEY (writer, n));
        CREATE TABLE storm.chain (writer int PRIMARY KEY, sum bigint NOT NULL);
        CREATE SEQUENCE storm.number START 1000;
        CREATE TABLE storm.keyed (id bigint PRIMARY KEY, writer int NOT NULL, bumps int NOT NULL DEFAULT 0,
            u int UNIQUE, small text, big text);
        CREATE TABLE storm.keyless (writer int, n bigint, v text);
        CREATE TABLE storm.scratch (writer int, n bigint);
        CREATE TABLE storm.part (writer int, n bigint, region int, v text, PRIMARY KEY (writer, n, region))
            PARTITION BY LIST (region);
        CREATE TABLE storm.part_0 PARTITION OF storm.part FOR VALUES IN (0);
        CREATE TABLE storm.part_1 PARTITION OF storm.part FOR VALUES IN (1);
        CREATE TABLE storm.probe (id int PRIMARY KEY);
        CREATE TABLE storm.filler (id int PRIMARY KEY, v text);
        INSERT INTO storm.filler SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 6000) AS i;
        INSERT INTO storm.chain SELECT w, 0 FROM generate_series(0, 2) AS w;
        INSERT INTO storm.keyed SELECT i, i % 3, 0, i, 's', repeat(md5(i::text), 200) FROM generate_series(1, 60) AS i;
        CREATE FUNCTION storm.op(w int, number bigint, choice int) RETURNS void LANGUAGE plpgsql AS $op$
        DECLARE mine bigint; other bigint;
        BEGIN
            INSERT INTO storm.ledger VALUES (w, number, choice);
            UPDATE storm.chain SET sum = (sum * 31 + number) % 1000000007 WHERE writer = w;
            SELECT id INTO mine FROM storm.keyed WHERE writer = w ORDER BY id OFFSET number % 19 LIMIT 1;
            SELECT id INTO other FROM storm.keyed WHERE writer = w AND id <> mine ORDER BY id OFFSET number % 7 LIMIT 1;
            CASE choice
            WHEN 0 THEN INSERT INTO storm.keyless VALUES (w, number, md5(number::text)), (w, number, md5(number::text));
            WHEN 1 THEN UPDATE storm.keyed SET bumps = bumps + 1 WHERE id = mine;
            WHEN 2 THEN UPDATE storm.keyed SET id = nextval('storm.number') WHERE id = mine;
            WHEN 3 THEN
                UPDATE storm.keyed SET u = -u WHERE id = mine;
                UPDATE storm.keyed SET u = (SELECT -u FROM storm.keyed WHERE id = mine), small = u::text WHERE id = other;
                UPDATE storm.keyed SET u = (SELECT small::int FROM storm.keyed WHERE id = other) WHERE id = mine;
            WHEN 4 THEN
                UPDATE storm.keyed SET big = (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 900))
                 WHERE id = mine;
            WHEN 5 THEN TRUNCATE storm.scratch; INSERT INTO storm.scratch VALUES (w, number);
            WHEN 6 THEN
                INSERT INTO storm.part VALUES (w, number, number % 2, 'new');
                UPDATE storm.part SET region = 1 - region WHERE writer = w AND n = (SELECT max(n) FROM storm.part
                    WHERE writer = w AND n < number);
            WHEN 7 THEN
                DELETE FROM storm.keyed WHERE id = mine;
                INSERT INTO storm.keyed SELECT mine, w, k.bumps, NULL, 'again', k.big FROM storm.keyed k WHERE id = other;
                UPDATE storm.keyed SET bumps = 0 WHERE id = mine;
            WHEN 8 THEN
                BEGIN
                    UPDATE storm.keyed SET small = 'never' WHERE id = mine;
                    RAISE division_by_zero;
                EXCEPTION WHEN division_by_zero THEN
                    UPDATE storm.keyed SET small = number::text WHERE id = mine;
                END;
            ELSE
                UPDATE storm.keyless SET v = 'changed ' || number
                 WHERE ctid = (SELECT ctid FROM storm.keyless WHERE writer = w ORDER BY n LIMIT 1);
                DELETE FROM storm.keyless WHERE ctid = (SELECT ctid FROM storm.keyless WHERE writer = w AND n = number - 40
                    LIMIT 1);
            END CASE;
        END $op$
        """

    /// How many kinds of operations there are.
    static let kinds = 10

    /// All rows of all tables as one line a table, for a comparison that owes nothing to martlet's own.
    static let digest: SQL = """
        SELECT string_agg(line, ' ' ORDER BY line) FROM (
            SELECT 'ledger=' || md5(string_agg(t::text, ',' ORDER BY t::text)) AS line FROM storm.ledger t
            UNION ALL SELECT 'chain=' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM storm.chain t
            UNION ALL SELECT 'keyed=' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM storm.keyed t
            UNION ALL SELECT 'keyless=' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM storm.keyless t
            UNION ALL SELECT 'scratch=' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM storm.scratch t
            UNION ALL SELECT 'part=' || md5(string_agg(t.tableoid::regclass || t::text, ',' ORDER BY t::text)) FROM storm.part t
            UNION ALL SELECT 'filler=' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM storm.filler t
        ) AS lines
        """

    /// What must be 0 whatever has happened: each operation is there as a whole.
    static let contradictions: SQL = """
        SELECT abs((SELECT count(*) FROM storm.ledger WHERE kind = 6) - (SELECT count(*) FROM storm.part))
             + (SELECT count(*) FROM storm.keyed WHERE small = 'never')
             + abs((SELECT count(*) FROM storm.keyed) - 60)
             + greatest(0, (SELECT sum(bumps) FROM storm.keyed) - (SELECT count(*) FROM storm.ledger WHERE kind = 1))
             + (SELECT count(*) FROM storm.keyed WHERE id > (SELECT last_value FROM storm.number))
        """

    /// What martlet could have left on a server.
    static func leftovers(_ database: String) -> SQL {
        """
        SELECT concat_ws(', ',
            (SELECT 'slots ' || string_agg(slot_name, ' ') FROM pg_replication_slots WHERE database = \(literal: database)),
            (SELECT 'publications ' || string_agg(pubname, ' ') FROM pg_publication),
            (SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'martlet'),
            (SELECT 'triggers on ' || string_agg(tgrelid::regclass::text, ' ') FROM pg_trigger WHERE tgname LIKE 'martlet%'),
            (SELECT 'identities of ' || string_agg(oid::regclass::text, ' ') FROM pg_class
              WHERE relnamespace = to_regnamespace('storm') AND relkind IN ('r', 'p') AND relreplident <> 'd'))
        """
    }
}
