import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Cutovers and rollbacks that are broken off between any two steps.
struct SwitchFaultTests {
    private static let table: SQL = """
        CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT i, 'old' FROM generate_series(1, 100) AS i;
        CREATE SEQUENCE s
        """

    private static let stepsOfCutover = [
        "compare", "prepare the way back", "put up the fence", "drain", "sequences and large objects",
        "compare what changed", "prove the way back",
    ]

    private static let stepsOfRollback = ["compare", "put up the fence", "drain", "compare what changed"]

    @Test(.timeLimit(.minutes(10)))
    func `a martlet that is killed after any step of a switch leaves what the next one goes on from`() async throws {
        try await withMove(of: Self.table) { move in
            for step in Self.stepsOfCutover {
                try await dieInSwitch("cutover", at: "forward: after \(step)", move)
                #expect(try await ask(move.target, "SELECT phase FROM martlet.migration") != "reversing", "\(step)")
            }
            // Past the point of no return the new server is open, and stays so.
            try await dieInSwitch("cutover", at: "forward: after open the new server", move)
            try await execute(move.target, "INSERT INTO t VALUES (1000, 'new')")
            await #expect(throws: PostgresError.self) { try await execute(move.source, "INSERT INTO t VALUES (1, '')") }
            for step in Self.stepsOfRollback {
                try await dieInSwitch("rollback", at: "reverse: after \(step)", move)
                #expect(try await ask(move.target, "SELECT phase FROM martlet.migration") != "rolledBack", "\(step)")
            }
            try await dieInSwitch("rollback", at: "reverse: after open the old server", move)
            await #expect(throws: PostgresError.self) { try await execute(move.target, "DELETE FROM t") }
            let outcome = try await move.run("migrate")
            #expect(outcome.status == 0, "\(outcome.error)")
            try await execute(move.source, "UPDATE t SET v = 'again' WHERE id = 1000")
            #expect(try await ask(move.source, "SELECT count(*) FROM t") == "101")
            try await move.must("finish")
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(
        .timeLimit(.minutes(10)),
        arguments: ["put up the fence", "compare what changed", "prove the way back"]
    )
    func `a cutover in which martlet died can be aborted`(step: String) async throws {
        try await withMove(of: Self.table) { move in
            try await dieInSwitch("cutover", at: "forward: after \(step)", move)
            // The fence does not need martlet to stand.
            await #expect(throws: PostgresError.self) { try await execute(move.source, "DELETE FROM t") }
            try await move.must("abort")
            try await execute(move.source, "DELETE FROM t")
            #expect(try await move.leftovers() == "")
            #expect(try await ask(move.target, "SELECT to_regclass('t')") == nil)
        }
    }

    /// Starts or resumes the move, asks for a switch as soon as that is possible, and has martlet die in the middle of it.
    private func dieInSwitch(_ kind: String, at milestone: String, _ move: TestMove) async throws {
        let outcome = try await move.dying(at: milestone).run("migrate") { _ in
            let phase = kind == "cutover" ? "following" : "reversing"
            try await move.untilWaiting(in: phase)
            try await move.request(kind)
        }
        #expect(outcome.status == 128 + SIGKILL, "\(milestone): \(outcome.error)")
    }

    @Test(.timeLimit(.minutes(10)))
    func `a martlet that slept while another one took over does not write any more`() async throws {
        try await withMove(of: Self.table) { move in
            let sleeper = try await move.stopping(at: "forward: before put up the fence").run("migrate") { process in
                try await move.untilFollowing()
                try await move.request("cutover")
                try await TestMove.untilStopped(process)
                let refused = try await move.run("migrate")
                #expect(refused.error.contains("another martlet runs this migration"), "\(refused.error)")
                try await move.forgetRunner()
                // Wakes it while the other one, which has taken over, is at work.
                try await move.follow(then: .abort) {
                    kill(process, SIGCONT)
                    try await eventually("the one that slept has ended", within: .seconds(120)) {
                        kill(process, 0) != 0 || isDead(process)
                    }
                    let triggers: SQL = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'martlet%'"
                    #expect(try await ask(move.source, triggers) == "0")
                    try await execute(move.source, "UPDATE t SET v = 'written after it woke' WHERE id = 1")
                }
            }
            #expect(sleeper.status == 1)
            #expect(sleeper.error.contains("another martlet runs this migration"), "\(sleeper.error)")
            #expect(try await move.leftovers() == "")
        }
    }

    /// Whether a process has ended, and only waits to be asked how.
    private func isDead(_ process: Int32) -> Bool {
        let line = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        return line.split(separator: ")").last?.split(separator: " ").first == "Z"
    }

    @Test(.timeLimit(.minutes(10)))
    func `a target that is restarted in the middle of a cutover lets the writers of the source in again`() async throws
    {
        try await withFaultyMove(of: Self.table) { move, servers in
            let outcome = try await move.stopping(at: "forward: after put up the fence").run("migrate") { process in
                try await move.untilFollowing()
                try await move.request("cutover")
                try await TestMove.untilStopped(process)
                await #expect(throws: PostgresError.self) {
                    try await execute(servers.directSource, "UPDATE t SET v = 'too early'")
                }
                try await servers.target.restart(.immediate)
                kill(process, SIGCONT)
                try await untilWritable(servers.directSource)
                try await move.untilFollowing()
                try await move.mustBeEqual()
                try await move.must("abort")
            }
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: ["after put up the fence", "after prove the way back"])
    func `a target that is gone in the middle of a cutover does not keep the writers of the source out`(
        milestone: String
    ) async throws {
        try await withFaultyMove(of: Self.table) { move, servers in
            let outcome = try await move.stopping(at: "forward: \(milestone)").run("migrate") { process in
                try await move.untilFollowing()
                try await move.request("cutover")
                try await TestMove.untilStopped(process)
                try await servers.target.stop(.immediate)
                kill(process, SIGCONT)
                try await untilWritable(servers.directSource)
                try await servers.target.start()
                try await move.untilFollowing()
                try await move.mustBeEqual()
                try await move.must("cutover")
                try await move.must("finish")
            }
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a source that is gone in the middle of a rollback does not keep the writers of the target out`() async throws
    {
        try await withFaultyMove(of: Self.table) { move, servers in
            try await cutOver(move)
            let outcome = try await move.stopping(at: "reverse: after put up the fence").run("migrate") { process in
                try await move.untilWaiting(in: "reversing")
                try await move.request("rollback")
                try await TestMove.untilStopped(process)
                try await servers.source.stop(.immediate)
                kill(process, SIGCONT)
                try await untilWritable(servers.directTarget)
                try await servers.source.start()
                try await move.untilWaiting(in: "reversing")
                try await move.must("rollback")
            }
            #expect(outcome.status == 0, "\(outcome.error)")
            try await move.must("abort")
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a target that has forgotten the cutover does not have the source opened`() async throws {
        try await withMove(of: Self.table) { move in
            try await cutOver(move)
            // What a standby knows that took over and lacks the last transactions.
            for phase in ["following", "cuttingOver"] {
                try await execute(move.target, "UPDATE martlet.migration SET phase = \(literal: phase)")
                let refused = try await move.run("migrate")
                #expect(refused.status == 1)
                #expect(refused.error.contains("does not know any more that the cutover was done"), "\(refused.error)")
            }
            await #expect(throws: PostgresError.self) { try await execute(move.source, "DELETE FROM t") }
            let kept = try await move.run("abort")
            #expect(kept.status == 1 && kept.error.contains("martlet abort --keep-copy"), "\(kept.error)")
            try await move.must("abort", "--keep-copy")
            try await execute(move.source, "DELETE FROM t")
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a target that has forgotten the rollback is not opened beside the source`() async throws {
        try await withMove(of: Self.table) { move in
            try await move.follow(then: .none) {
                try await move.must("cutover")
                try await move.must("rollback")
            }
            try await execute(move.target, "UPDATE martlet.migration SET phase = 'rollingBack'")
            let refused = try await move.run("migrate")
            #expect(refused.status == 1)
            #expect(refused.error.contains("does not know any more that the rollback was done"), "\(refused.error)")
            await #expect(throws: PostgresError.self) { try await execute(move.target, "DELETE FROM t") }
            try await execute(move.source, "DELETE FROM t")
            try await execute(move.target, "UPDATE martlet.migration SET phase = 'rolledBack'")
            try await move.must("abort")
            #expect(try await move.leftovers() == "")
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a fence that was opened or taken down on the old server is told`()
        async throws
    {
        try await withMove(of: Self.table) { move in
            try await cutOver(move)
            try await execute(move.source, "ALTER TABLE t DISABLE TRIGGER ALL")
            let outcome = try await move.run("migrate") { _ in
                try await untilTold("table \"public.t\" of the old server has no trigger martlet_fence", move)
                try await move.must("finish")
            }
            #expect(outcome.status == 0, "\(outcome.error)")
        }
    }

    private func untilTold(_ text: String, _ move: TestMove) async throws {
        try await eventually("status tells: \(text)") {
            try await move.program.run(["status", "--target", move.target.secretURI]).output.contains(text)
        }
    }

    /// Cuts over, and stops martlet.
    private func cutOver(_ move: TestMove) async throws {
        let outcome = try await move.run("migrate") { process in
            try await move.untilFollowing(process)
            try await move.must("cutover")
            kill(process, SIGTERM)
        }
        #expect(outcome.status == 130, "\(outcome.error)")
    }

    @Test(.timeLimit(.minutes(10)))
    func `a cutover that is done is told as done, although martlet died before it said so`() async throws {
        try await withMove(of: Self.table) { move in
            let outcome = try await move.dying(at: "forward: after open the new server").run("migrate") { process in
                try await move.untilFollowing(process)
                let answer = try await move.must("cutover")
                #expect(answer.output.contains("downtime: "), "\(answer.output)")
                #expect(answer.error.contains("start martlet migrate again"), "\(answer.error)")
            }
            #expect(outcome.status == 128 + SIGKILL, "\(outcome.error)")
        }
    }

    /// The old server is opened after the point of no return, which is in the journal of the new one.
    @Test(.timeLimit(.minutes(10)))
    func `a rollback is told as done when the old server is open, not before`() async throws {
        try await withMove(of: Self.table) { move in
            try await cutOver(move)
            let outcome = try await move.dying(at: "reverse: rolled back").run("migrate") { _ in
                try await move.untilWaiting(in: "reversing")
                let answer = try await move.run("rollback")
                #expect(answer.status == 1)
                #expect(answer.error.contains("Start it again with the same martlet migrate"), "\(answer.error)")
            }
            #expect(outcome.status == 128 + SIGKILL, "\(outcome.error)")
            await #expect(throws: PostgresError.self) { try await execute(move.source, "DELETE FROM t") }
            let second = try await move.run("migrate")
            #expect(second.status == 0, "\(second.error)")
            try await execute(move.source, "DELETE FROM t")
            #expect(try await ask(move.target, "SELECT state FROM martlet.request WHERE kind = 'rollback'") == "done")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a source that cannot be reached behind the fence is opened as soon as it can be reached`() async throws {
        try await withFaultyMove(of: Self.table) { move, servers in
            let outcome = try await move.stopping(at: "forward: after put up the fence").run("migrate") { process in
                try await move.untilFollowing()
                try await move.request("cutover")
                try await TestMove.untilStopped(process)
                servers.sourceWire.change { $0.refuses = true }
                servers.sourceWire.cut()
                kill(process, SIGCONT)
                try await eventually("martlet says what it waits for") {
                    let status = try await move.program("status", "--target", move.target.secretURI)
                    return status.output.contains("could not connect to")
                        || status.output.contains("lost the connection")
                }
                await #expect(throws: PostgresError.self) {
                    try await execute(servers.directSource, "UPDATE t SET v = 'too early'")
                }
                servers.sourceWire.change { $0.refuses = false }
                try await untilWritable(servers.directSource)
                try await move.untilFollowing()
                try await move.must("cutover")
                try await move.must("finish")
            }
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try await move.leftovers() == "")
        }
    }

    private func untilWritable(_ place: ConnectionString) async throws {
        try await eventually("writers are let in again") {
            do { try await execute(place, "UPDATE t SET v = 'written' WHERE id = 1") } catch let error as PostgresError
            {
                #expect(error.sqlState == "25006", "\(error)")
                return false
            }
            return true
        }
    }
}
