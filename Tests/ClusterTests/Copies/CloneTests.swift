import Foundation
import Postgres
import TestSupport
import Testing

@testable import Cluster

struct CloneTests {
    @Test(.timeLimit(.minutes(5)))
    func `a clone can be written, archives nothing, and goes after its time`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let archive = sandboxes.directory + "/archived"
            let settings = [
                "archive_mode": "on", "archive_command": "touch '\(archive)'", "datestyle": "German",
                "max_connections": "77",
            ]
            let source = try #require(try await sandboxes.start("shop", .init(settings: settings)).connection())
            try await execute(source, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
            try await execute(source, "CREATE DATABASE other")
            // It goes on while the copy is made.
            let plan = Workload.Plan(
                operations: [Workload.Operation(name: "insert", weight: 1, statement: "INSERT INTO t VALUES (1)")],
                readOperations: []
            )
            let board = Switchboard(Switchboard.Line(name: "shop", connection: source))
            var quiet = plan
            quiet.readers = 0
            try await withWorkload(quiet, on: board) { workload in
                let facts = try await sandboxes.source("shop")
                var wish = Sandboxes.CloneWish()
                wish.expires = .now.addingTimeInterval(3600)
                let clone = try await sandboxes.makeClone("copy", of: facts, .basebackup, wish) { _, _ in
                } prepare: { connection in
                    try await execute(connection, "CREATE TABLE masked (a int)")
                }
                #expect(workload.writers.firstSurprise == nil && workload.writers.total > 0)
                let place = try #require(clone.connection())
                #expect(try await ask(place, "SELECT count(*) >= 1000 FROM t") == "t")
                try await execute(place, "INSERT INTO masked VALUES (1); SELECT pg_switch_wal()")
                #expect(try await ask(place, "SHOW archive_mode") == "off")
                #expect(try await ask(place, "SHOW max_connections") == "77")
                #expect(try await ask(place.with("dbname", "other"), "SHOW datestyle") == "German, DMY")
            }
            #expect(try await ask(source, "SELECT count(*) FROM pg_class WHERE relname = 'masked'") == "0")
            #expect(try await ask(source, "SELECT count(*) FROM pg_replication_slots") == "0")
            #expect(await sandboxes.removeExpired().isEmpty)
            #expect(await sandboxes.removeExpired(.now.addingTimeInterval(7200)).map(\.name) == ["copy"])
            #expect(sandboxes.list().map(\.name) == ["shop"])
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a folder copied by a command is a whole server, and its subscriptions are gone`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let publisher = try #require(try await sandboxes.start("pub").connection())
            let source = try #require(try await sandboxes.start("shop").connection())
            try await execute(publisher, "CREATE TABLE t (a int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t")
            try await execute(source, "CREATE TABLE t (a int PRIMARY KEY)")
            try await execute(
                source,
                "CREATE SUBSCRIPTION s CONNECTION \(literal: publisher.secretURI) PUBLICATION p WITH (copy_data = false)"
            )
            var wish = Sandboxes.CloneWish()
            wish.command = #"cp -a "$1" "$2""#
            let facts = try await sandboxes.source("shop")
            let (way, _) = try await sandboxes.provider(for: facts, wish)
            #expect(way == .command)
            let clone = try await sandboxes.makeClone("copy", of: facts, way, wish) { _, _ in
            } prepare: { _ in
            }
            let place = try #require(clone.connection())
            #expect(try await ask(place, "SELECT count(*) FROM pg_subscription") == "0")
            // The source's own goes on.
            try await execute(publisher, "INSERT INTO t VALUES (1)")
            try await eventually("the source follows") { try await ask(source, "SELECT count(*) FROM t") == "1" }
            #expect(try await ask(place, "SELECT count(*) FROM t") == "0")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a mask that fails leaves no clone`() async throws {
        try await withTemporarySandboxes { sandboxes in
            _ = try await sandboxes.start("shop")
            let facts = try await sandboxes.source("shop")
            let error = await #expect(throws: PostgresError.self) {
                try await sandboxes.makeClone("copy", of: facts, .basebackup, .init()) { _, _ in
                } prepare: { connection in
                    try await execute(connection, "SELECT no_such_function()")
                }
            }
            #expect(error?.sqlState == "42883")
            #expect(sandboxes.list().map(\.name) == ["shop"])
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a database is cloned beside itself, and only that one is dropped`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let server = try #require(try await sandboxes.start("shop").connection())
            try await execute(server, "CREATE DATABASE \"Shop's\"")
            let source = server.with("dbname", "Shop's")
            try await execute(source, "CREATE TABLE t AS SELECT 1 AS a")
            let facts = try await CopySource.read(source, title: "shop")
            let clone = try await sandboxes.makeDatabaseClone("trial", of: facts, .init()) { connection in
                try await execute(connection, "UPDATE t SET a = 2")
            }
            #expect(clone.status == .database)
            #expect(try await ask(try #require(clone.connection()), "SELECT a FROM t") == "2")
            #expect(try await ask(source, "SELECT a FROM t") == "1")
            // What has no server cannot be stopped.
            await #expect(throws: PostgresError.self) { try await sandboxes.stop("trial") }
            await #expect(throws: PostgresError.self) { try await sandboxes.start("trial") }
            // Somebody else's database of this name is not touched.
            try await execute(server, "COMMENT ON DATABASE trial IS 'mine'")
            let error = await #expect(throws: PostgresError.self) { try await sandboxes.remove("trial") }
            #expect(error?.hint?.contains("--source-is-gone") == true)
            try await execute(server, "COMMENT ON DATABASE trial IS \(literal: clone.origin?.mark ?? "")")
            try await sandboxes.remove("trial")
            #expect(
                try await ask(server, "SELECT string_agg(datname, ' ' ORDER BY datname COLLATE \"C\") FROM pg_database")
                    == "Shop's postgres template0 template1"
            )
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a database that is in use, or whose name is taken, is no template`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let server = try #require(try await sandboxes.start("shop").connection())
            try await execute(server, "CREATE DATABASE app")
            try await execute(server, "CREATE DATABASE taken")
            let facts = try await CopySource.read(server.with("dbname", "app"), title: "shop")
            try await withConnection(to: server.with("dbname", "app")) { _ in
                let error = await #expect(throws: PostgresError.self) {
                    try await sandboxes.makeDatabaseClone("trial", of: facts, .init()) { _ in }
                }
                #expect(error?.message == "database \"app\" is in use, and cannot be a template")
            }
            await #expect(throws: PostgresError.self) {
                try await sandboxes.makeDatabaseClone("taken", of: facts, .init()) { _ in }
            }
            #expect(sandboxes.list().map(\.name) == ["shop"])
            #expect(
                try await ask(server, "SELECT count(*) FROM pg_database WHERE datname IN ('trial', 'taken')") == "1"
            )
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `what was made from a server comes before it`() async throws {
        try await withTemporarySandboxes { sandboxes in
            for name in ["alone", "shop"] { _ = try await sandboxes.start(name) }
            for (name, source) in [("copy", "shop"), ("again", "copy")] {
                let facts = try await sandboxes.source(source)
                _ = try await sandboxes.makeClone(name, of: facts, .basebackup, .init()) { _, _ in
                } prepare: { _ in
                }
            }
            #expect(try sandboxes.family(of: ["shop"]).map(\.name) == ["again", "copy", "shop"])
            #expect(try sandboxes.family(of: ["copy", "shop"]).map(\.name) == ["again", "copy", "shop"])
            #expect(throws: PostgresError.self) { try sandboxes.family(of: ["nobody"]) }
        }
    }
}
