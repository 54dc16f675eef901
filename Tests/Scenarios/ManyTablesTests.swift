import Cluster
import Postgres
import TestSupport
import Testing

/// Moves databases with thousands of tables between servers of default size.
struct ManyTablesTests {
    private static let settings = [
        "max_connections": "100", "max_worker_processes": "8", "max_wal_senders": "10",
        "max_prepared_transactions": "0",
    ]

    /// One transaction cannot make them all: each takes four locks, and there is room for some 8,000.
    @Test(.timeLimit(.minutes(10)))
    func `two thousand tables need no setting of the servers`() async throws {
        try await withServer(ServerConfiguration(settings: Self.settings)) { source in
            try await withServer(ServerConfiguration(settings: Self.settings)) { target in
                try await withTemporaryDirectory { directory in
                    let place = source.connection()
                    for part in 0..<20 { try await execute(place, Self.tables(part)) }
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let move = TestMove(source: place, target: target.connection(to: "copy"), directory: directory)
                    try await move.follow(then: .finish) {
                        try await execute(place, "UPDATE t7_7 SET v = 'y'; DELETE FROM t0_1")
                    }
                    let comments: SQL = """
                        SELECT count(*) FROM pg_class
                         WHERE relname ~ '^t[0-9_]+$' AND relname = obj_description(oid, 'pg_class')
                        """
                    #expect(try await ask(move.target, comments) == "2000")
                    #expect(try await ask(move.target, "SELECT v FROM t7_7") == "y")
                }
            }
        }
    }

    private static func tables(_ part: Int) -> SQL {
        """
        DO $$ DECLARE name text; BEGIN
            FOR i IN 1 .. 100 LOOP
                name := format('t%s_%s', \(part), i);
                EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, v text)', name);
                EXECUTE format('INSERT INTO %I VALUES (1, %L)', name, name);
                EXECUTE format('COMMENT ON TABLE %I IS %L', name, name);
            END LOOP;
        END $$
        """
    }
}
