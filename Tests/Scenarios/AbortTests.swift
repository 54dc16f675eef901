import Catalog
import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Gives up moves, while they run and after they were stopped.
struct AbortTests {
    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `an abort leaves both servers as they were`(isRunning: Bool) async throws {
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let shop = try await ShopDatabase.create("shop", on: source.connection(), scale: 0.01)
                    // A type with functions that go when it goes.
                    try await execute(shop, "CREATE TYPE span AS RANGE (SUBTYPE = text)")
                    try await execute(target.connection(), "CREATE DATABASE shop")
                    // What was there before a move is not the move's to remove.
                    try await execute(
                        target.connection(to: "shop"),
                        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA also_mine; CREATE TYPE mood AS ENUM ('ok')"
                    )
                    let move = TestMove(source: shop, target: target.connection(to: "shop"), directory: directory)
                    let programs = try await Installation.client(atLeast: source.binaries.major)
                    let before = try await programs.definitions(of: shop)
                    let empty = try await programs.definitions(of: move.target)
                    try await giveUp(move, isRunning: isRunning)
                    #expect(try await programs.definitions(of: shop) == before)
                    #expect(try await programs.definitions(of: move.target) == empty)
                    #expect(try await ask(move.target, "SELECT count(*) FROM pg_largeobject_metadata") == "0")
                    #expect(try await ask(shop, "SELECT count(*) FROM pg_replication_slots") == "0")
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `a move whose source is gone can be ended on the target`(isCutOver: Bool) async throws {
        try await withServer { source in
            try await withMove { pair in
                try await execute(source.connection(), "CREATE TABLE t (id int PRIMARY KEY)")
                let move = TestMove(source: source.connection(), target: pair.target, directory: pair.directory)
                let migration = try await move.run("migrate") { process in
                    try await move.untilFollowing(process)
                    if isCutOver { try await move.must("cutover") }
                    kill(process, SIGTERM)
                }
                #expect(migration.status == 130, "\(migration.error)")
                try await source.stop(.immediate)
                let command = isCutOver ? "finish" : "abort"
                let refused = try await move.run(command)
                #expect(refused.status == 1 && refused.error.contains("could not connect"), "\(refused.error)")
                #expect(refused.error.contains("martlet \(command) --source-is-gone"), "\(refused.error)")
                let ended = try await move.must(command, "--source-is-gone")
                #expect(ended.output.contains("left on the source: publication"), "\(ended.output)")
                #expect(ended.output.contains("DROP PUBLICATION IF EXISTS"), "\(ended.output)")
                let left: SQL = """
                    SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())
                         + (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_namespace WHERE nspname = 'martlet')
                    """
                #expect(try await ask(move.target, left) == "0")
                let tables: SQL = "SELECT count(*) FROM pg_tables WHERE tablename = 't'"
                #expect(try await ask(move.target, tables) == (isCutOver ? "1" : "0"))
            }
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `a move cannot be ended with another source than its own`(isRunning: Bool) async throws {
        try await withMoveFromOwnServer(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            let migration = try await move.run("migrate") { process in
                try await move.untilFollowing(process)
                guard isRunning else { return _ = kill(process, SIGTERM) }
                try await refuseToEnd(move, by: "abort")
                try await move.must("cutover")
                try await refuseToEnd(move, by: "finish")
                try await move.must("finish")
            }
            guard !isRunning else { return #expect(migration.status == 0, "\(migration.error)") }
            #expect(migration.status == 130, "\(migration.error)")
            try await refuseToEnd(move, by: "abort")
            try await move.must("abort")
            #expect(try await move.leftovers() == "")
        }
    }

    /// Tries it with a source that is not the move's.
    private func refuseToEnd(_ move: TestMove, by command: String) async throws {
        let other = TestMove(
            source: move.source.with("dbname", "template1"),
            target: move.target,
            directory: move.directory
        )
        let refused = try await other.run(command)
        #expect(refused.status == 1 && refused.error.contains("Give that source"), "\(refused.error)")
        #expect(try await ask(move.target, "SELECT count(*) FROM martlet.migration") == "1")
    }

    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `an abort that keeps the copy removes only what served the move`(isRunning: Bool) async throws {
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let shop = try await ShopDatabase.create("shop", on: source.connection(), scale: 0.01)
                    try await execute(target.connection(), "CREATE DATABASE shop")
                    let move = TestMove(source: shop, target: target.connection(to: "shop"), directory: directory)
                    let programs = try await Installation.client(atLeast: source.binaries.major)
                    let before = try await programs.definitions(of: shop)
                    try await giveUp(move, isRunning: isRunning, "--keep-copy")
                    let rows: SQL = "SELECT count(*) FROM public.customers"
                    #expect(try await ask(move.target, rows) == ask(shop, rows))
                    #expect(
                        try await ask(move.target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'martlet'") == "0"
                    )
                    #expect(try await programs.definitions(of: shop) == before)
                }
            }
        }
    }

    private func giveUp(_ move: TestMove, isRunning: Bool, _ options: String...) async throws {
        let migration = try await move.run("migrate") { process in
            try await move.untilFollowing()
            if isRunning {
                let aborted = try await move.run("abort", options)
                try #require(aborted.status == 0, "\(aborted.error)")
            } else {
                kill(process, SIGINT)
            }
        }
        #expect(migration.status == (isRunning ? 0 : 130), "\(migration.error)")
        if isRunning {
            let copy = options.contains("--keep-copy") ? "is kept" : "is removed"
            #expect(migration.error.contains("the copy on the target \(copy)"))
        }
        guard !isRunning else { return }
        let aborted = try await move.run("abort", options)
        try #require(aborted.status == 0, "\(aborted.error)")
    }

    /// Sessions that look at the journal may hold some of its locks and wait for others, in a circle with its end.
    @Test(.timeLimit(.minutes(3)))
    func `an abort outlives a deadlock with a session that holds on to the journal`() async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            try await move.follow(then: .none) {
                try await withConnection(to: move.target) { other in
                    // So the abort is the one that finds the circle, and is broken off.
                    try other.execute(
                        "SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE martlet.status IN ACCESS SHARE MODE"
                    )
                    async let abort = move.must("abort")
                    try await eventually("the end of the journal waits") {
                        try await ask(
                            move.target,
                            "SELECT count(*) FROM pg_locks WHERE relation = to_regclass('martlet.status') AND NOT granted"
                        ) == "1"
                    }
                    try other.execute(
                        "LOCK TABLE martlet.migration, martlet.object, martlet.event IN ACCESS SHARE MODE; COMMIT"
                    )
                    _ = try await abort
                }
            }
            #expect(try await ask(move.target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'martlet'") == "0")
        }
    }
}
