import Postgres
import TestSupport
import Testing

/// What martlet costs the two servers while it only follows.
@Suite(.timeLimit(.minutes(5)))
struct Pitfall27IdleTests {
    @Test func `pitfalls 27 and 28: an idle database's slot goes on, and its lag is none, while another one writes`()
        async throws
    {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await withDatabase(on: TestServer.shared(.source)) { other in
                try await move.follow {
                    try await execute(
                        other,
                        "CREATE TABLE busy (v text); INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 20000)"
                    )
                    let position = try #require(await ask(other, "SELECT pg_current_wal_insert_lsn()"))
                    try await eventually("the slot lets the log of the other database go") {
                        try await ask(
                            move.source,
                            """
                            SELECT confirmed_flush_lsn >= \(literal: position)::pg_lsn AND restart_lsn >= \(literal: position)::pg_lsn
                              FROM pg_replication_slots WHERE database = current_database()
                            """
                        ) == "t"
                    }
                    try await eventually("the stream is not behind") {
                        try await ask(
                            move.target,
                            "SELECT (report -> 'lag' ->> 'bytes')::bigint < 1000000 AND (report -> 'lag' ->> 'seconds')::float8 < 5 FROM martlet.status"
                        ) == "t"
                    }
                }
            }
        }
    }

    @Test func `pitfalls 35 and 36: while it follows, martlet keeps VACUUM from nothing on either server`() async throws
    {
        try await withMove(
            of: "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n FROM generate_series(1, 1000) n"
        ) { move in
            try await move.follow {
                let holding: SQL = """
                    SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name LIKE 'martlet %' AND backend_xmin IS NOT NULL
                       AND (state = 'idle in transaction' OR xact_start < now() - interval '10 seconds')
                    """
                #expect(try await ask(move.source, holding) == "0")
                #expect(try await ask(move.target, holding) == "0")
                #expect(
                    try await ask(move.source, "SELECT count(*) FROM pg_replication_slots WHERE xmin IS NOT NULL")
                        == "0"
                )
                // Rows that martlet replaced are dead at once for VACUUM.
                try await execute(move.source, "UPDATE t SET v = 'x'")
                try await eventually("VACUUM finds nothing that must stay") {
                    guard try await ask(move.target, "SELECT count(*) FROM t WHERE v = 'x'") == "1000" else {
                        return false
                    }
                    try await execute(move.target, "VACUUM t")
                    return try await ask(move.target, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 't'")
                        == "0"
                }
            }
        }
    }
}
