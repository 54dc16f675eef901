import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Kills the built program again and again, while an application writes.
struct KillTests {
    @Test(.timeLimit(.minutes(10)))
    func `a move that is killed at ten random moments ends equal`() async throws {
        let seed = ProcessInfo.processInfo.environment["MARTLET_SEED"].flatMap(UInt64.init) ?? .random(in: 0 ... .max)
        print("seed: MARTLET_SEED=\(seed)")
        try await withServer { source in
            try await withServer { target in
                try await withTemporaryDirectory { directory in
                    let shop = try await ShopDatabase.create("shop", on: source.connection(), scale: 0.02)
                    try await execute(target.connection(), "CREATE DATABASE shop")
                    let move = TestMove(source: shop, target: target.connection(to: "shop"), directory: directory)
                    var plan = Workload.Plan(
                        operations: try await ShopDatabase.operations(of: shop),
                        readOperations: ShopDatabase.reading
                    )
                    plan.writers = 3
                    plan.readers = 0
                    plan.rate = 150
                    plan.seed = seed
                    let board = Switchboard(Switchboard.Line(name: "old", connection: shop))
                    try await withWorkload(plan, on: board) { workload in
                        try await torment(move, workload, seed: seed)
                    }
                }
            }
        }
    }

    /// Nine kills between the first snapshot and the following of changes, a tenth in a cutover; then the whole way.
    private func torment(_ move: TestMove, _ workload: Workload, seed: UInt64) async throws {
        var moments = SeededMoments(seed: seed)
        for _ in 0..<9 { try await kill(move, after: moments.next(upTo: 3000)) }
        try await cutOverAndKill(move, after: moments.next(upTo: 700))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let outcome = try await move.run("migrate")
                #expect(outcome.status == 0, "\(outcome.error)")
            }
            try await move.untilFollowing()
            try await workload.stop()
            let cutover = try await move.run("cutover")
            // A move that is not finished would be waited for: what fails ends the test.
            try #require(cutover.status == 0, "\(cutover.error)")
            let verdict = try await move.run("verify")
            try #require(verdict.status == 0, "\(verdict.output)\(verdict.error)")
            let finished = try await move.run("finish")
            try #require(finished.status == 0, "\(finished.error)")
            try await group.waitForAll()
        }
        let verdict = try await move.run("verify")
        #expect(verdict.status == 0, "\(verdict.output)")
        for place in [move.source, move.target] {
            let left: SQL = """
                SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)
                       + (SELECT count(*) FROM pg_namespace WHERE nspname = 'martlet')
                       + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'martlet%')
                """
            #expect(try await ask(place, left) == "0")
        }
    }

    private func cutOverAndKill(_ move: TestMove, after moment: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let outcome = try await move.run("migrate") { process in
                    try await move.untilFollowing()
                    try await execute(
                        move.target,
                        """
                        INSERT INTO martlet.request (kind, arguments, asker)
                        VALUES ('cutover', '{"isDryRun": false, "keepsWayBack": true, "isSinceVerify": false}', NULL)
                        """
                    )
                    let end = ContinuousClock.now + moment
                    try await eventually("the moment to kill") { ContinuousClock.now >= end }
                    Foundation.kill(process, SIGKILL)
                }
                #expect(outcome.status == 128 + SIGKILL, "\(outcome.error)")
            }
            try await group.waitForAll()
        }
    }

    /// Starts or resumes the move and kills it after a time.
    private func kill(_ move: TestMove, after moment: Duration) async throws {
        let outcome = try await move.run("migrate") { process in
            let end = ContinuousClock.now + moment
            try await eventually("the moment to kill") { ContinuousClock.now >= end }
            Foundation.kill(process, SIGKILL)
        }
        #expect(outcome.status == 128 + SIGKILL, "\(outcome.error)")
    }
}

/// Random moments that a seed decides.
struct SeededMoments {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// A time below a number of milliseconds (SplitMix64; Steele, Lea and Flood, 2014).
    mutating func next(upTo milliseconds: UInt64) -> Duration {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return .milliseconds(Int((mixed ^ mixed >> 31) % milliseconds))
    }
}
