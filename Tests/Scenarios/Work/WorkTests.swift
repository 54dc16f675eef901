import Foundation
import Postgres
import TestSupport
import Testing

/// Lets workers help a load.
struct WorkTests {
    @Test(.timeLimit(.minutes(5)), arguments: ["--once", "--lanes=2"])
    func `a worker copies parts and builds indexes, and both ends are equal`(option: String) async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move, options: ["--jobs", "1", "--part-size", "256kB", option])
            let (leader, worker) = try await load.run { processes in
                try await load.until("the worker builds an index", "state = 'done' AND kind = 'index'", are: 1)
                try await load.until("the worker copies a part", "state = 'done' AND kind = 'copy'", are: 1)
                try await expectStatus(of: move, names: processes.worker)
                try await load.until("only what is held is left", "state = 'asked'", are: 2)
                try processes.letGo()
                if option == "--once" { return try await load.expectEnd(of: processes.leader) }
                try await move.untilFollowing(processes.leader)
                try await load.expectEveryPartOnce()
                try await move.mustBeEqual()
                try await move.must("abort")
            }
            #expect(leader.status == 0, "\(leader.error)")
            #expect(worker.status == 0, "\(worker.error)")
            #expect(worker.output.contains("the load is done: copied"), "\(worker.output)")
            #expect(leader.error.contains("joins with 2 sessions"), "\(leader.error)")
        }
    }

    private func expectStatus(of move: TestMove, names worker: Int32) async throws {
        try await eventually("status tells of the worker") {
            let status = try await move.program("status", "--json", "--target", move.target.secretURI)
            let json = try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any]
            let workers = json?["workers"] as? [[String: Any]]
            return workers?.first?["process"] as? Int32 == worker && workers?.first?["rows"] as? Int ?? 0 > 0
        }
        let text = try await move.program("status", "--target", move.target.secretURI)
        #expect(text.output.contains("worker process \(worker) on host"), "\(text.output)")
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["work given", "work copied", "work noted", "work built"])
    func `what a killed worker had in hand goes to others`(milestone: String) async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move)
            let (leader, worker) = try await load.run(worker: move.stopping(at: milestone)) { processes in
                try await TestMove.untilStopped(processes.worker)
                kill(processes.worker, SIGKILL)
                try await load.until("its pieces are taken from it", "state = 'withdrawn'", are: 1)
                try await load.untilTold("has lost its connection, or has died; ")
                try processes.letGo()
                try await load.expectEnd(of: processes.leader)
            }
            #expect(worker.status == 128 + SIGKILL, "\(worker.error)")
            #expect(leader.status == 0, "\(leader.error)")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `an abort does not wait for a worker that is in the middle of a table`() async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move)
            let (leader, worker) = try await load.run(worker: move.stopping(at: "work copied")) { processes in
                try await TestMove.untilStopped(processes.worker)
                try await move.must("abort")
                kill(processes.worker, SIGCONT)
            }
            #expect(leader.status == 0, "\(leader.error)")
            #expect(worker.status == 0, "\(worker.error)")
            #expect(try await move.leftovers() == "")
        }
    }

    /// The process stands still with the rows in an open transaction, is given up, and wakes up when others have copied them.
    @Test(.timeLimit(.minutes(5)), arguments: ["work given", "work copied", "work noted", "work built"])
    func `a worker that was given up cannot commit`(milestone: String) async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { try await giveUp(at: milestone, $0) }
    }

    @Test(.timeLimit(.minutes(5))) func `a role that may do little can give up a worker`() async throws {
        try await withManagedMove(of: SharedLoad.tables) { try await giveUp(at: "work noted", $0.move) }
    }

    private func giveUp(at milestone: String, _ move: TestMove) async throws {
        let load = SharedLoad(move: move)
        let (leader, worker) = try await load.run(worker: move.stopping(at: milestone)) { processes in
            try await TestMove.untilStopped(processes.worker)
            try await execute(move.target, "UPDATE martlet.worker SET beat = beat - interval '1 day'")
            try await load.until("its pieces are taken from it", "state = 'withdrawn'", are: 1)
            try await load.untilTold("was not heard of for 86")
            let before = try await load.pieces("worker IS NOT NULL AND state = 'done'")
            try processes.letGo()
            try await load.expectEnd(of: processes.leader)
            kill(processes.worker, SIGCONT)
            try await eventually("the worker ends") { move.hasEnded(processes.worker) }
            #expect(try await load.pieces("worker IS NOT NULL AND state = 'done'") == before)
            try await load.expectEveryPartOnce()
        }
        #expect(worker.error.contains("joining again"), "\(worker.error)")
        #expect(worker.status == 0, "\(worker.error)")
        #expect(leader.status == 0, "\(leader.error)")
    }

    @Test(.timeLimit(.minutes(5))) func `a worker that is stopped gives back what it has`() async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move)
            try await withConnection(to: move.source) { other in
                let (leader, worker) = try await load.run {
                    try other.execute("BEGIN; LOCK TABLE plain IN ACCESS EXCLUSIVE MODE")
                } _: { processes in
                    try await load.until("the worker waits for a table", "state = 'given' AND name = 'plain'", are: 2)
                    kill(processes.worker, SIGTERM)
                    try await load.until("it gives it back", "state = 'returned' AND name = 'plain'", are: 2)
                    try other.execute("COMMIT")
                    try processes.letGo()
                    try await load.expectEnd(of: processes.leader)
                }
                #expect(worker.status == 130, "\(worker.error)")
                #expect(worker.error.contains("what was in hand goes to others"), "\(worker.error)")
                #expect(leader.status == 0, "\(leader.error)")
            }
        }
    }

    @Test(.timeLimit(.minutes(5))) func `a worker joins again when the move was killed and goes on`() async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move, options: ["--jobs", "1", "--part-size", "256kB"])
            let (killed, worker) = try await load.run { processes in
                try await load.until("the worker copies a part", "state = 'done' AND kind = 'copy'", are: 1)
                kill(processes.leader, SIGKILL)
                try processes.letGo()
                let again = try await move.stopping(at: "load opened").run("migrate", load.options) { leader in
                    try await TestMove.untilStopped(leader)
                    try await load.until(
                        "the worker asks again",
                        "state = 'asked' AND run = (SELECT run FROM martlet.load)",
                        are: 2
                    )
                    kill(leader, SIGCONT)
                    try await move.untilFollowing(leader)
                    try await load.expectEveryPartOnce()
                    try await move.mustBeEqual()
                    try await move.must("abort")
                }
                #expect(again.status == 0, "\(again.error)")
            }
            #expect(killed.status == 128 + SIGKILL)
            #expect(worker.status == 0, "\(worker.error)")
            #expect(worker.error.components(separatedBy: "joining the load").count == 3, "\(worker.error)")
        }
    }

    /// The rate would let the worker's share take minutes, so that it is in the middle of its piece whenever anybody looks.
    @Test(.timeLimit(.minutes(5))) func `a worker holds when the move is paused, and keeps to its share of the rate`()
        async throws
    {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move, options: ["--once", "--jobs", "1", "--max-rate", "200kB"])
            let (leader, worker) = try await load.run { processes in
                try await load.until("the worker has pieces", "state = 'given' AND kind = 'copy'", are: 1)
                // Two of three sessions are the worker's.
                let share: SQL = "SELECT count(*) FROM martlet.worker WHERE rate = 200 * 1024 / 3 * 2 AND NOT is_held"
                #expect(try await ask(move.target, share) == "1")
                try await move.must("pause")
                try await eventually("the worker is told to hold") {
                    try await ask(move.target, "SELECT is_held FROM martlet.worker") == "t"
                }
                let given = try await load.pieces("state = 'given'")
                let done = try await load.pieces("state = 'done'")
                try await eventually("two more heartbeats") { try await beats(of: move, since: 2) }
                #expect(try await load.pieces("state = 'given'") == given)
                #expect(try await load.pieces("state = 'done'") == done)
                try await move.must("resume")
                kill(processes.worker, SIGTERM)
                kill(processes.leader, SIGTERM)
                try await eventually("both end") {
                    move.hasEnded(processes.worker) && move.hasEnded(processes.leader)
                }
            }
            #expect(worker.status == 130, "\(worker.error)")
            #expect(leader.status == 130, "\(leader.error)")
            try await move.must("abort")
        }
    }

    @Test(.timeLimit(.minutes(5))) func `a worker that is held lets the snapshot go when the one that leads has gone`()
        async throws
    {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move, options: ["--once", "--jobs", "1", "--max-rate", "200kB"])
            let copying: SQL = """
                SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^martlet work [0-9]' AND xact_start IS NOT NULL
                """
            let (_, worker) = try await load.run { processes in
                try await load.until("the worker has pieces", "state = 'given' AND kind = 'copy'", are: 1)
                try await move.must("pause")
                try await eventually("two more heartbeats") { try await beats(of: move, since: 2) }
                #expect(try await ask(move.source, copying) != "0")
                kill(processes.leader, SIGKILL)
                try await eventually("no session of the worker is left on the source") {
                    try await ask(move.source, copying) == "0"
                }
                kill(processes.worker, SIGTERM)
                try await eventually("the worker ends") { move.hasEnded(processes.worker) }
            }
            #expect(worker.error.contains("has ended while it held the copy"), "\(worker.error)")
            try await move.must("abort")
        }
    }

    /// Whether the worker has shown that it lives for some seconds since it was told to hold.
    private func beats(of move: TestMove, since seconds: Int) async throws -> Bool {
        let question: SQL = """
            SELECT w.beat > m.paused + make_interval(secs => \(seconds)) FROM martlet.worker AS w, martlet.migration AS m
            """
        return try await ask(move.target, question) == "t"
    }
}
