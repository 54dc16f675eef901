import Catalog
import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Engine
@testable import Move

@Suite(.temporaryDatabase)
struct FenceTests {
    private static let migration = Journal.Migration(
        id: "f3nce",
        phase: "reversing",
        source: "host=here",
        sourceSystem: "7",
        sourceDatabase: "here",
        plan: Data("{}".utf8)
    )

    private func insert(_ writer: Connection) throws(PostgresError) {
        try writer.execute("INSERT INTO \"Quiet\" VALUES (1); INSERT INTO busy VALUES (1)")
    }

    /// Autovacuum and dumps hold locks that a trigger cannot be dropped beside.
    @Test func `a fence opens although somebody holds on to a table, and can be put up again`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { server in
            try server.execute("CREATE TABLE \"Quiet\" (id int); CREATE TABLE busy (id int)")
            try await Journal.create(Self.migration, on: server)
            let fence = Fence(tables: try Schema(server).tables, side: .source)
            try await fence.raise(on: server, journal: server) {}
            try await withConnection(to: TemporaryDatabase.current) { writer in
                #expect(throws: PostgresError.self) { try insert(writer) }
                try await withConnection(to: TemporaryDatabase.current) { holder in
                    try holder.execute("BEGIN; LOCK TABLE busy IN ACCESS SHARE MODE")
                    try server.execute("SET lock_timeout = '1ms'")
                    try Fence.open(on: server)
                    try Fence.open(on: server)
                    try insert(writer)
                    #expect(try server.query(MoveSQL.fenceTriggers).count == 2)
                }
                try server.execute("RESET lock_timeout")
                for _ in 0..<2 { try await Fence.drop(on: server) }
                #expect(try server.query(MoveSQL.fenceTriggers).isEmpty)
                try server.execute(fence.object.undo)
                try await fence.raise(on: server, journal: server) {}
                #expect(throws: PostgresError.self) { try insert(writer) }
            }
        }
    }

    /// Who writes to `b` and then to `a` holds `b` and waits for `a`, when that is locked first.
    @Test(.timeLimit(.minutes(2))) func `a fence finds the order in which writers take tables`() async throws {
        let place = TemporaryDatabase.current
        try await withConnection(to: place) { server in
            try server.execute("CREATE TABLE \"a 'b\" (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)")
            try await Journal.create(Self.migration, on: server)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await withConnection(to: place, application: "writer") { writer in
                            while true {
                                do {
                                    try writer.execute(
                                        """
                                        BEGIN; INSERT INTO c VALUES (1); INSERT INTO b VALUES (1); SELECT pg_sleep(0.05);
                                        INSERT INTO "a 'b" VALUES (1); COMMIT
                                        """
                                    )
                                } catch let error as PostgresError where error.sqlState == "25006" { return }
                            }
                        }
                    }
                }
                try await eventually("four write") {
                    try await ask(place, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer'")
                        == "4"
                }
                let tables = try Schema(server).tables.filter { $0.name.schema == "public" }
                try await Fence(tables: tables, side: .source).raise(on: server, journal: server) {}
                try await group.waitForAll()
            }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a fence does not wait for the end of autovacuum`() async throws {
        // One that is told to rest after every page takes minutes.
        let settings = [
            "autovacuum_naptime": "1s", "autovacuum_vacuum_cost_delay": "100ms", "autovacuum_vacuum_cost_limit": "1",
        ]
        try await withServer(ServerConfiguration(settings: settings)) { own in
            let place = own.connection()
            try await execute(
                place,
                """
                CREATE TABLE busy (id int PRIMARY KEY, v text)
                    WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
                INSERT INTO busy SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n
                """
            )
            try await execute(place, "DELETE FROM busy WHERE id % 2 = 0")
            try await eventually("autovacuum is at work", within: .seconds(60)) {
                try await ask(place, "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum)") == "t"
            }
            try await withConnection(to: place) { server in
                try await Journal.create(Self.migration, on: server)
                let tables = try Schema(server).tables.filter { $0.name.schema == "public" }
                try await Fence(tables: tables, side: .source).raise(on: server, journal: server) {}
                try await withConnection(to: place) { writer in
                    _ = #expect(throws: PostgresError.self) { try writer.execute("DELETE FROM busy") }
                }
            }
        }
    }

    @Test func `where no fence is, opening and dropping it do nothing`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { server in
            try Fence.open(on: server)
            try await Fence.drop(on: server)
        }
    }
}
