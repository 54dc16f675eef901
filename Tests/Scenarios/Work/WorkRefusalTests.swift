import Foundation
import Postgres
import TestSupport
import Testing

/// Tells workers why they cannot help, and the one that leads a load what they could not do.
struct WorkRefusalTests {
    @Test(.timeLimit(.minutes(5))) func `what a worker cannot do ends the load with the words of a load alone`()
        async throws
    {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let load = SharedLoad(move: move)
            let (leader, worker) = try await load.run {
                try await execute(move.target, "ALTER TABLE plain ADD CONSTRAINT ours CHECK (id <> 7000)")
            } _: { processes in
                try await load.until("a piece fails", "state = 'failed'", are: 1)
                try await eventually("the load ends") { move.hasEnded(processes.leader) }
                try processes.letGo()
            }
            for (status, text) in [(leader.status, leader.error), (worker.status, worker.error)] {
                #expect(status == 1)
                #expect(text.contains("martlet: error: could not copy table \"public.plain\""), "\(text)")
                #expect(text.contains("violates check constraint \"ours\""), "\(text)")
            }
            let alone = try await move.run("migrate")
            #expect(alone.error.contains("could not copy table \"public.plain\"\nDETAIL: new row for relation"))
            try await execute(move.target, "ALTER TABLE plain DROP CONSTRAINT ours")
            try await move.must("migrate")
            try await move.mustBeEqual()
        }
    }

    @Test(.timeLimit(.minutes(5))) func `who cannot help is told why`() async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let none = try await move.run("work")
            #expect(none.status == 1 && none.error.contains("there is no move into"), "\(none.error)")
            let led = try await move.stopping(at: "load opened").run("migrate", ["--once"]) { leader in
                try await TestMove.untilStopped(leader)
                try await expectWrongSource(move)
                try await expectWrongRole(move)
                try await expectOtherVersion(move)
                kill(leader, SIGCONT)
            }
            #expect(led.status == 0, "\(led.error)")
            let late = try await move.run("work")
            #expect(late.status == 0, "\(late.error)")
            #expect(late.output.contains("nothing is left to copy: the move is in phase \"copied\""), "\(late.output)")
        }
    }

    private func expectWrongSource(_ move: TestMove) async throws {
        try await withDatabase(on: TestServer.shared(.source)) { other in
            let wrong = TestMove(source: other, target: move.target, directory: move.directory)
            let refused = try await wrong.run("work")
            #expect(refused.status == 1 && refused.error.contains("is not the source of this move"), "\(refused.error)")
        }
        let away = TestMove(
            source: move.source.with("port", "1").with("host", "127.0.0.1"),
            target: move.target,
            directory: move.directory
        )
        let unreached = try await away.run("work")
        #expect(unreached.status == 1 && unreached.error.contains("could not connect to 127.0.0.1:1/"))
    }

    private func expectWrongRole(_ move: TestMove) async throws {
        let role = Identifier("martlet_stranger_\(UInt64.random(in: 0 ... .max))")
        try await execute(move.target, "CREATE ROLE \(role) LOGIN SUPERUSER")
        let strange = TestMove(
            source: move.source,
            target: move.target.with("user", role.name),
            directory: move.directory
        )
        let refused = try await strange.run("work")
        try await execute(move.target, "DROP ROLE \(role)")
        #expect(refused.status == 1, "\(refused.output)")
        #expect(refused.error.contains("as another role\nDETAIL: It is role"), "\(refused.error)")
    }

    private func expectOtherVersion(_ move: TestMove) async throws {
        try await execute(move.target, "UPDATE martlet.load SET form = form + 1")
        let newer = try await move.run("work")
        #expect(newer.status == 1 && newer.error.contains("is of another version\nDETAIL: It is a newer one"))
        try await execute(move.target, "UPDATE martlet.load SET form = form - 1")
    }

    @Test func `a worker that waits for a server says what is in the way`() async throws {
        let nowhere = "host=127.0.0.1 port=1 dbname=shop user=app"
        let worker = try await MartletProgram()("work", "--source", nowhere, "--target", nowhere, "--wait", "1s")
        #expect(worker.status == 1)
        let waits = worker.error.split(separator: "\n").filter {
            $0.contains("waiting: could not connect to 127.0.0.1:1/shop: ")
        }
        #expect(waits.count == 1 && waits.first?.contains("refused") == true, "\(worker.error)")
    }

    @Test(.timeLimit(.minutes(5))) func `a worker may come before the move`() async throws {
        try await withMoveFromOwnServer(of: SharedLoad.tables) { move in
            let worker = try await move.run("work", ["--wait", "5m"]) { process in
                let led = try await move.stopping(at: "load opened").run("migrate", ["--once", "--part-size", "256kB"])
                { leader in
                    try await TestMove.untilStopped(leader)
                    let load = SharedLoad(move: move)
                    try await load.until("the worker asks", "state = 'asked'", are: 2)
                    kill(leader, SIGCONT)
                    try await load.expectEnd(of: leader)
                }
                #expect(led.status == 0, "\(led.error)")
            }
            #expect(worker.status == 0, "\(worker.error)")
            #expect(worker.error.contains("waiting: there is no move into"), "\(worker.error)")
        }
    }
}
