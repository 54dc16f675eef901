import Postgres
import TestSupport
import Testing

/// Sequences of every kind, at the load, the cutover and the rollback.
struct Pitfall06SequenceTests {
    private static let definitions: SQL = #"""
        CREATE TABLE serial (id serial PRIMARY KEY, small smallserial, always bigint GENERATED ALWAYS AS IDENTITY);
        CREATE SEQUENCE rising; CREATE SEQUENCE falling INCREMENT -3 MINVALUE -1000 MAXVALUE 50 START 50;
        CREATE SEQUENCE cached CACHE 50; CREATE SEQUENCE cycle MINVALUE 1 MAXVALUE 3 CYCLE;
        CREATE SEQUENCE ending AS smallint MAXVALUE 32767; CREATE SEQUENCE ended MAXVALUE 2;
        CREATE SEQUENCE negative MINVALUE -100 START -50; CREATE SEQUENCE "it's ""mine""" START 7;
        CREATE SEQUENCE untouched; CREATE SEQUENCE starts START 33; CREATE SEQUENCE was_set; CREATE SEQUENCE restarted START 4;
        CREATE SEQUENCE behind OWNED BY serial.id; CREATE SCHEMA other; CREATE SEQUENCE other.rising START 900;
        INSERT INTO serial (small) SELECT i FROM generate_series(1, 5) i;
        SELECT nextval('rising') FROM generate_series(1, 10); SELECT nextval('falling'), nextval('cached'), nextval('negative');
        SELECT nextval('cycle') FROM generate_series(1, 4); SELECT nextval('ended') FROM generate_series(1, 2);
        SELECT setval('ending', 32766), setval('was_set', 500, false); ALTER SEQUENCE restarted RESTART WITH 88
        """#

    /// What each sequence would give next.
    private static let states: SQL = #"""
        SELECT string_agg(format('%s %s %s', name, last_value, is_called), '; ' ORDER BY name)
          FROM (SELECT 'serial_id' AS name, * FROM serial_id_seq UNION ALL SELECT 'small', * FROM serial_small_seq
                UNION ALL SELECT 'always', * FROM serial_always_seq UNION ALL SELECT 'rising', * FROM rising
                UNION ALL SELECT 'falling', * FROM falling UNION ALL SELECT 'cached', * FROM cached
                UNION ALL SELECT 'cycle', * FROM cycle UNION ALL SELECT 'ending', * FROM ending
                UNION ALL SELECT 'ended', * FROM ended UNION ALL SELECT 'negative', * FROM negative
                UNION ALL SELECT 'mine', * FROM "it's ""mine""" UNION ALL SELECT 'untouched', * FROM untouched
                UNION ALL SELECT 'starts', * FROM starts UNION ALL SELECT 'was_set', * FROM was_set
                UNION ALL SELECT 'restarted', * FROM restarted UNION ALL SELECT 'behind', * FROM behind
                UNION ALL SELECT 'other', * FROM other.rising) AS s (name, last_value, log_cnt, is_called)
        """#

    /// Draws, sets and restarts, so that each step finds other states than the one before.
    private static let draws: SQL = #"""
        SELECT nextval('rising'), nextval('falling'), nextval('cached'), nextval('cycle'), nextval('negative');
        SELECT setval('was_set', nextval('rising') + 600, false), setval('starts', 34, false);
        ALTER SEQUENCE restarted RESTART WITH 99; SELECT nextval('"it''s ""mine"""'), nextval('other.rising');
        INSERT INTO serial DEFAULT VALUES
        """#

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 6: sequences of every kind go on where they stood, at the load, the cutover and the rollback`()
        async throws
    {
        try await withMove(of: Self.definitions) { move in
            try await move.thereAndBack {
                #expect(try await same(move))
                try await move.write(Self.draws, "TRUNCATE serial RESTART IDENTITY; INSERT INTO serial DEFAULT VALUES")
                let isSame = try await same(move)
                #expect(!isSame)
            } afterCutover: {
                #expect(try await same(move))
                try await execute(move.target, Self.draws)
                try await execute(move.target, "SELECT setval('was_set', 1000, false)")
            }
            #expect(try await same(move))
            #expect(try await ask(move.source, "SELECT nextval('was_set')") == "1000")
        }
    }

    private func same(_ move: TestMove) async throws -> Bool {
        let (source, target) = try await (ask(move.source, Self.states), ask(move.target, Self.states))
        return source == target && source != nil
    }
}
