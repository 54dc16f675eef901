import Foundation
import Postgres
import TestSupport
import Testing

/// Others who lock what martlet writes to, or read what martlet reads.
@Suite(.timeLimit(.minutes(5)))
struct Pitfall39LockTests {
    @Test func `pitfall 39: who locks a table of the target is named, and the stream goes on when the lock is free`()
        async throws
    {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await move.follow {
                try await withConnection(to: move.target, application: "maintenance") { other in
                    try other.execute("BEGIN; LOCK TABLE t")
                    try await execute(move.source, "INSERT INTO t VALUES (1)")
                    let waiting: SQL = "SELECT report ->> 'waiting' FROM martlet.status"
                    try await eventually("status names who is in the way") {
                        try await ask(move.target, waiting)?.contains(#"application "maintenance""#) == true
                    }
                    try other.execute("COMMIT")
                    try await eventually("status no longer waits") { try await ask(move.target, waiting) == nil }
                }
                try await eventually("the row arrives") { try await ask(move.target, "SELECT count(*) FROM t") == "1" }
            }
        }
    }

    @Test func `pitfall 40: a slot that another process still reads is waited for`() async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            let stopped = try await move.run("migrate") { process in
                try await move.untilFollowing()
                kill(process, SIGINT)
            }
            #expect(stopped.status == 130)
            let slot = try await ask(
                move.source,
                "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
            )
            let name = Identifier(try #require(slot))
            let replication = move.source.with("replication", "database")
            let trying: SQL = """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'martlet receive'
                """
            let migration = try await withConnection(to: replication, application: "other consumer") { other in
                _ = try other.startReplication(slot: name, publication: name, from: .zero, isBinary: true)
                return try await move.run("migrate") { _ in
                    try await eventually("martlet asks for its slot") { try await ask(move.source, trying) == "1" }
                    try await execute(
                        move.source,
                        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = \(literal: name.name)"
                    )
                    try await execute(move.source, "INSERT INTO t VALUES (1)")
                    try await move.untilFollowing()
                    try await move.mustBeEqual()
                    try await move.must("abort")
                }
            }
            #expect(migration.status == 0, "\(migration.error)")
        }
    }

    @Test func `pitfall 49: two databases of one server move at the same time`() async throws {
        let definitions: SQL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)"
        try await withMove(of: definitions) { one in
            try await withMove(of: definitions) { other in
                try await one.follow(then: .finish) {
                    try await other.follow(then: .finish) {
                        try await execute(one.source, "INSERT INTO t VALUES (101)")
                        try await execute(other.source, "DELETE FROM t")
                    }
                    #expect(try await ask(one.source, "SELECT count(*) FROM t") == "101")
                }
                #expect(try await ask(one.target, "SELECT count(*) FROM t") == "101")
                #expect(try await ask(other.target, "SELECT count(*) FROM t") == "0")
            }
        }
    }
}
