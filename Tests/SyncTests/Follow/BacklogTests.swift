import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Sync

/// What was written while nobody followed.
struct BacklogTests {
    /// Log that nobody has to decode: eight megabytes.
    private static let log: SQL =
        "SELECT pg_logical_emit_message(false, 'nobody', repeat('x', 1000000)) FROM generate_series(1, 8)"

    private static let tables: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE large (id int PRIMARY KEY, v text);
        ALTER TABLE large ALTER v SET STORAGE EXTERNAL
        """

    @Test(.timeLimit(.minutes(10)))
    func `a backlog of several shares is read by queries, to the transaction, and then streamed`() async throws {
        try await Way.with(tables: Self.tables) { way in
            var way = way
            way.backlog = 1 << 20
            try await withConnection(to: way.places.source, application: "open") { open in
                // Begins before everything and ends after it.
                try open.execute("BEGIN; INSERT INTO t VALUES (-1, 0)")
                for round in 1...4 {
                    try await way.write([
                        "INSERT INTO t SELECT i, \(round) FROM generate_series(\(round) * 100000, \(round) * 100000 + 30000) i",
                        "INSERT INTO large VALUES (\(round), repeat(chr(64 + \(round)), \(round) * 1500000))", Self.log,
                        "BEGIN; DELETE FROM t WHERE id % 10 = 0; ROLLBACK",
                        "UPDATE t SET n = n + 1 WHERE id % 7 = \(round % 7)",
                    ])
                }
                try open.execute("COMMIT")
            }
            try await way.follow { [way] follower, plan in
                follower.release()
                try await way.settle(follower)
                #expect(try await way.differences() == [])
                let receive = follower.state.stages.report.receive
                #expect(receive.queries >= 2)
                // What is safe in the spool was given up.
                let confirmed: SQL = """
                    SELECT confirmed_flush_lsn - \(literal: plan.start.description) > 40e6 FROM pg_replication_slots
                     WHERE slot_name = \(literal: plan.slot.name)
                    """
                try await eventually("the slot moved") { try await ask(way.places.source, confirmed) == "t" }
                try await way.write(["INSERT INTO t VALUES (-2, 0)", "DELETE FROM large WHERE id = 2"])
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a backlog that is cut off is read again, once`() async throws {
        try await Way.with(tables: Self.tables) { way in
            var way = way
            way.backlog = 1
            try await way.write(["INSERT INTO t SELECT i, 0 FROM generate_series(1, 400000) i"])
            let cut: SQL = """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'martlet receive' AND datname = current_database() AND query LIKE 'COPY%'
                   AND state = 'active' AND clock_timestamp() - query_start > '0.2 s'
                """
            for _ in 1...3 {
                let error = await #expect(throws: PostgresError.self) {
                    try await way.follow { [way] follower, _ in
                        follower.release()
                        try await eventually("the reader is cut off") { try await ask(way.places.source, cut) != nil }
                        try await eventually("somebody has noticed") { false }
                    }
                }
                #expect(error?.isConnectionLoss == true, "\(String(describing: error))")
            }
            try await way.follow { [way] follower, _ in
                follower.release()
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `messages without a transaction, more than a share, do not keep a query from its end`() async throws {
        try await Way.with(tables: Self.tables) { way in
            var way = way
            way.backlog = 1
            try await way.write([
                "SELECT pg_logical_emit_message(false, 'nobody', '') FROM generate_series(1, 120000)",
                "INSERT INTO t VALUES (1, 1)",
            ])
            try await way.follow { [way] follower, _ in
                follower.release()
                try await way.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }

    @Test(arguments: [
        (130_030, false), (140_007, false), (140_017, false), (140_018, true), (150_012, false), (150_013, true),
        (160_008, false), (160_009, true), (170_004, false), (170_005, true), (180_000, true),
    ])
    func `servers whose slots have a fault are not asked`(version: Int, isAsked: Bool) {
        #expect(Backlog.isMended(version) == isAsked)
    }

    enum Obstacle: CaseIterable {
        /// What is not applied may not be forgotten.
        case confirmation
        /// The server keeps no more rows.
        case temporaryFiles
        /// The name that the copy of the slot would have is too long.
        case copy
    }

    @Test(.timeLimit(.minutes(10)), arguments: Obstacle.allCases)
    func `where a query is not possible, the stream brings the backlog`(obstacle: Obstacle) async throws {
        try await Way.with(tables: Self.tables) { way in
            var way = way
            way.backlog = 1
            try await way.write(["INSERT INTO t SELECT i, 0 FROM generate_series(1, 200000) i"])
            let name = try await ask(way.places.source, "SELECT current_database()") ?? ""
            let database = Identifier(name)
            switch obstacle {
            case .confirmation: way.confirmation = .applied
            case .temporaryFiles:
                for limit in ["work_mem", "temp_file_limit"] as [Identifier] {
                    try await execute(way.places.source, "ALTER DATABASE \(database) SET \(limit) = '64kB'")
                }
            case .copy:
                let long = Identifier(way.slot.name + String(repeating: "_", count: 63 - way.slot.name.utf8.count))
                try await way.write([
                    "SELECT pg_copy_logical_replication_slot(\(literal: way.slot.name), \(literal: long.name))"
                ])
                way.slot = long
            }
            let queries = try await way.follow { [way] follower, _ in
                follower.release()
                try await way.settle(follower)
                return follower.state.stages.report.receive.queries
            }
            try await execute(way.places.source, "ALTER DATABASE \(database) RESET ALL")
            #expect(queries == 0)
            #expect(try await way.differences() == [])
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: [(2, false), (3, true)])
    func `a backlog leaves a slot free for a comparison`(slots: Int, isAsked: Bool) async throws {
        let settings = ["max_replication_slots": String(slots)]
        try await withServer(ServerConfiguration(settings: settings)) { source in
            try await Way.with(tables: Self.tables, source: source.connection()) { way in
                var way = way
                way.backlog = 1
                try await way.write(["INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i"])
                let queries = try await way.follow { [way] follower, _ in
                    follower.release()
                    try await way.settle(follower)
                    return follower.state.stages.report.receive.queries
                }
                #expect((queries > 0) == isAsked)
                #expect(try await way.differences() == [])
            }
        }
    }
}
