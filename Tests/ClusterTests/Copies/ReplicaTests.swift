import Foundation
import Postgres
import TestSupport
import Testing

@testable import Cluster

struct ReplicaTests {
    @Test(.timeLimit(.minutes(5)))
    func `a replica follows, survives a stop of both, and takes its slot with it`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let primary = try #require(try await sandboxes.start("shop").connection())
            try await execute(primary, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
            let replica = try await sandboxes.makeReplica("reader", of: sandboxes.source("shop")) { _, _ in }
            let place = try #require(replica.connection())
            #expect(replica.replicated == "shop")
            #expect(try await ask(place, "SELECT pg_is_in_recovery()") == "t")
            for name in ["reader", "shop"] { try await sandboxes.stop(name) }
            for name in ["shop", "reader"] { _ = try await sandboxes.start(name) }
            try await execute(primary, "INSERT INTO t VALUES (1001)")
            try await eventually("the row arrives") { try await ask(place, "SELECT max(a) FROM t") == "1001" }
            let state = await ReplicaState.read(try sandboxes.find("reader"))
            #expect(state.isFollowing && state.source == "shop", "\(state.state)")
            try await sandboxes.remove("reader")
            #expect(try await ask(primary, "SELECT count(*) FROM pg_replication_slots") == "0")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a promoted replica can be written, and its slot is gone`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let primary = try #require(try await sandboxes.start("shop").connection())
            let replica = try await sandboxes.makeReplica("next", of: sandboxes.source("shop")) { _, _ in }
            try await sandboxes.promote("next")
            try await execute(try #require(replica.connection()), "CREATE TABLE t (a int)")
            #expect(try await ask(primary, "SELECT count(*) FROM pg_replication_slots") == "0")
            #expect(try sandboxes.find("next").origin == nil)
            await #expect(throws: PostgresError.self) { try await sandboxes.promote("next") }
            try await sandboxes.stop("next")
            #expect(try await sandboxes.start("next").status == .running)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `what fails leaves nothing, neither here nor on the source`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let primary = try #require(try await sandboxes.start("shop").connection())
            try await execute(primary, "CREATE ROLE plain LOGIN")
            let weak = try await sandboxes.source(primary.with("user", "plain").secretURI)
            let refused = await #expect(throws: PostgresError.self) {
                try await sandboxes.makeReplica("r", of: weak) { _, _ in }
            }
            #expect(refused?.message.contains("may not copy") == true)
            let source = try await sandboxes.source("shop")
            let wrong = ["no_such_setting": "1"]
            await #expect(throws: PostgresError.self) {
                try await sandboxes.makeReplica("r", of: source, settings: wrong) { _, _ in }
            }
            #expect(sandboxes.list().map(\.name) == ["shop"])
            #expect(try await ask(primary, "SELECT count(*) FROM pg_replication_slots") == "0")
            let taken = await #expect(throws: PostgresError.self) {
                try await sandboxes.makeReplica("shop", of: source) { _, _ in }
            }
            #expect(taken?.message.contains("already") == true)
            await #expect(throws: PostgresError.self) { try await sandboxes.source("nobody") }
        }
    }
}

/// Gives `body` a place without sandboxes, and removes those that it leaves.
func withTemporarySandboxes(_ body: (Sandboxes) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
        let sandboxes = Sandboxes(directory: directory + "/sandboxes")
        func removeAll() async {
            // Replicas first, which have slots on others; one that cannot be removed is the failure of its test.
            for sandbox in sandboxes.list().sorted(by: { $0.origin != nil && $1.origin == nil }) {
                try? await sandboxes.remove(sandbox.name, sourceIsGone: true)
            }
        }
        do {
            try await body(sandboxes)
        } catch {
            await removeAll()
            throw error
        }
        await removeAll()
    }
}
