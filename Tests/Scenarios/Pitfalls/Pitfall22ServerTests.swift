import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Slots that are given up, sessions that are cut, and servers that die.
struct Pitfall22ServerTests {
    @Test(.timeLimit(.minutes(5)))
    func `pitfall 24: who lets a slot run out of log is warned, and told when it is lost`() async throws {
        let settings = ["max_slot_wal_keep_size": "160MB", "max_wal_size": "64MB", "min_wal_size": "32MB"]
        try await onServers(ServerConfiguration(settings: settings)) { move, _, _ in
            let migration = try await move.run("migrate") { _ in
                try await move.untilFollowing()
                try await withConnection(to: move.source, application: "forgotten") { holder in
                    try holder.execute("BEGIN; INSERT INTO t VALUES (100, 1)")
                    let warning: SQL = "SELECT report ->> 'warning' FROM martlet.status"
                    // No more than that, lest the slot is lost before anybody has looked.
                    let isHalf: SQL = "SELECT safe_wal_size < 80 << 20 FROM pg_replication_slots WHERE NOT temporary"
                    try await eventually("the slot holds on to half of the log that it may") {
                        try await move.write(Self.someLog)
                        return try await ask(move.source, isHalf) == "t"
                    }
                    try await eventually("there is a warning") { try await ask(move.target, warning) != nil }
                    // A transaction is named when it is a second old.
                    try await eventually("the warning says why, and who it is") {
                        let text = try #require(try await ask(move.target, warning))
                        return text.contains("max_slot_wal_keep_size") && text.contains("application \"forgotten\"")
                    }
                    let status = try await move.program("status", "--target", move.target.secretURI)
                    #expect(status.output.contains("warning: slot"), "\(status.output)\(status.error)")
                    try await eventually("the server gives the slot up") {
                        try await move.write(Self.someLog, "CHECKPOINT")
                        return try await ask(move.source, "SELECT wal_status FROM pg_replication_slots") == "lost"
                    }
                }
            }
            #expect(migration.status == 1)
            #expect(migration.error.contains("lost the log it needs"), "\(migration.error)")
            #expect(migration.error.contains("Raise max_slot_wal_keep_size"), "\(migration.error)")
            try await move.must("abort")
        }
    }

    /// Some megabytes of log that nobody has to decode.
    private static let someLog: SQL =
        "SELECT pg_logical_emit_message(false, 'nobody', repeat('x', 1000000)) FROM generate_series(1, 8)"

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 24: a slot that was idle for too long is told as that`() async throws {
        guard await TestServer.availableMajors.contains(18) else {
            try Test.cancel("PostgreSQL 18 is not installed")
        }
        let settings = ["idle_replication_slot_timeout": "1s"]
        try await onServers(ServerConfiguration(major: 18, settings: settings)) { move, _, _ in
            let stopped = try await move.run("migrate") { process in
                try await move.untilFollowing()
                kill(process, SIGINT)
            }
            #expect(stopped.status == 130, "\(stopped.error)")
            try await eventually("the server gives the slot up") {
                try await execute(move.source, "CHECKPOINT")
                return try await ask(move.source, "SELECT wal_status FROM pg_replication_slots") == "lost"
            }
            let refused = try await move.run("migrate")
            #expect(refused.status == 1)
            #expect(refused.error.contains("Set idle_replication_slot_timeout to 0"), "\(refused.error)")
            try await move.must("abort")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `pitfall 22: neither a short wal_sender_timeout nor a session that is cut ends a move`() async throws {
        try await onServers(ServerConfiguration(settings: ["wal_sender_timeout": "1s"])) { move, _, _ in
            let sender: SQL = "SELECT active_pid FROM pg_replication_slots WHERE NOT temporary"
            let migration = try await move.run("migrate") { process in
                try await move.untilFollowing()
                let before = try await ask(move.source, sender)
                kill(process, SIGSTOP)
                let start = ContinuousClock.now
                try await eventually("the time is up that the server gives others") {
                    ContinuousClock.now - start > .seconds(3)
                }
                kill(process, SIGCONT)
                try await move.write("INSERT INTO t VALUES (100, 1)")
                try await eventually("the change arrives") {
                    try await ask(move.target, "SELECT n FROM t WHERE id = 100") == "1"
                }
                #expect(try await ask(move.source, sender) == before)
                try await move.write("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots")
                try await move.write("INSERT INTO t VALUES (101, 1)")
                try await eventually("the change arrives") {
                    try await ask(move.target, "SELECT n FROM t WHERE id = 101") == "1"
                }
                try await move.untilFollowing()
                try await move.mustBeEqual()
                try await move.must("abort")
            }
            #expect(migration.status == 0, "\(migration.error)")
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["spooled", "applied"])
    func `pitfall 23: nothing is lost when the target is killed, again and again`(confirm: String) async throws {
        try await onServers(ServerConfiguration()) { move, _, target in
            try await move.follow(["--confirm", confirm]) {
                for round in 1...3 {
                    try await withConnection(to: move.source) { writer in
                        for step in 0..<200 {
                            try writer.execute(
                                "UPDATE t SET n = n + 1 WHERE id = \(step % 10 + 1); INSERT INTO log VALUES (\(round))"
                            )
                            if step == 100 { target.kill(SIGKILL) }
                        }
                    }
                    try await target.waitUntilGone()
                    try await target.start()
                    try await eventually("the move goes on", within: .seconds(120)) {
                        guard try await move.isFollowing() else { return false }
                        return try await ask(move.target, "SELECT count(*) FROM log") == String(200 * round)
                    }
                }
                #expect(try await ask(move.target, "SELECT sum(n) FROM t") == "610")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [17, 18])
    func `pitfall 25: a standby gets the slots of both ways, and a source that is another one is refused`(
        major: Int
    ) async throws {
        let slots: SQL =
            "SELECT bool_and(failover) FROM pg_replication_slots WHERE database = current_database() AND NOT temporary"
        try await withMove(from: major, to: major, of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await move.thereAndBack {
                #expect(try await ask(move.source, slots) == "t")
                let other = TestMove(source: move.target, target: move.target, directory: move.directory)
                let refused = try await other.run("migrate")
                #expect(refused.status != 0)
                #expect(try await ask(move.source, slots) == "t")
            } afterCutover: {
                let isFailover = try await ask(move.target, slots)
                #expect(isFailover == "t")
            }
        }
    }

    private func onServers(
        _ configuration: ServerConfiguration,
        _ body: (TestMove, Server, Server) async throws -> Void
    ) async throws {
        try await withServer(configuration) { source in
            try await withServer(ServerConfiguration(major: configuration.major)) { target in
                try await withTemporaryDirectory { directory in
                    try await execute(
                        source.connection(),
                        """
                        CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, 1 FROM generate_series(1, 10) i;
                        CREATE TABLE log (round int)
                        """
                    )
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let place = target.connection(to: "copy")
                    try await body(
                        TestMove(source: source.connection(), target: place, directory: directory),
                        source,
                        target
                    )
                }
            }
        }
    }
}
