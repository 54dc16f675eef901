import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

struct ServerTests {
    @Test(arguments: await TestServer.availableMajors)
    func `a server of every installed major takes connections and is ready for logical replication`(
        major: Int
    ) async throws {
        var configuration = ServerConfiguration()
        configuration.binaries = try await TestServer.binaries(major: major)
        let directory = try await withServer(configuration) { server in
            let place = server.connection()
            let level = try await ask(place, "SHOW wal_level")
            let version = try await ask(place, "SHOW server_version")
            #expect(level == "logical")
            #expect(version?.hasPrefix("\(major)") == true)
            return server.directory
        }
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func `data survive a crash, an immediate stop and a restart`() async throws {
        try await withServer { server in
            try await execute(server.connection(), "CREATE TABLE kept AS SELECT 1 AS a")
            server.kill(SIGKILL)
            try await server.waitUntilGone()
            #expect(!server.isReady)
            try await server.start()
            try await server.stop(.immediate)
            try await server.start()
            try await server.set(["work_mem": "7MB"])
            try await server.restart()
            #expect(try await ask(server.connection(), "TABLE kept") == "1")
            #expect(try await ask(server.connection(), "SHOW work_mem") == "7MB")
        }
    }

    @Test func `a setting has the text that was asked for`() async throws {
        try await withServer { server in
            // To Swift a quote and the accent after it are one character, which is no quote.
            for text in ["it's", "back\\slash", "'\u{301}", "\\\u{301}'"] {
                try await server.set(["martlet.text": text])
                try await server.restart()
                let shown = try await ask(server.connection(), "SHOW martlet.text")
                #expect(shown?.utf8.elementsEqual(text.utf8) == true)
            }
        }
    }

    @Test func `a server that was killed starts when its last session has gone`() async throws {
        try await withServer { server in
            let session = try await withConnection(to: server.connection()) { session in
                let process = Int32(session.processID)
                kill(process, SIGSTOP)
                server.kill(SIGKILL)
                try await server.waitUntilGone()
                return process
            }
            async let start: Void = server.start()
            try await eventually("four tries have failed") {
                let log = try String(contentsOfFile: server.directory + "/log", encoding: .utf8)
                return log.ranges(of: "pre-existing shared memory block").count >= 4
            }
            kill(session, SIGCONT)
            try await start
            #expect(try await ask(server.connection(), "SELECT 1") == "1")
        }
    }

    @Test func `TCP asks for the password, the socket does not`() async throws {
        try await withServer(ServerConfiguration(tcp: .anyPort)) { server in
            let tcp = server.connection()
            #expect(tcp["host"] == "127.0.0.1")
            try await execute(tcp, "SELECT 1")
            try await execute(server.socketConnection(), "SELECT 1")
            await #expect(throws: PostgresError.self) {
                try await execute(tcp.with("password", "wrong"), "SELECT 1")
            }
        }
    }

    @Test func `a wrong setting is told with the log and a hint`() async throws {
        let error = await #expect(throws: PostgresError.self) {
            try await withServer(ServerConfiguration(settings: ["no_such_setting": "1"])) { _ in }
        }
        #expect(error?.message.hasPrefix("could not start the server") == true)
        #expect(error?.detail?.contains("no_such_setting") == true)
        #expect(error?.hint == "Correct the setting that the log names.")
    }

    @Test func `the error of the body comes out, and the directory is gone`() async throws {
        struct Mine: Error {}
        var directory = "/"
        await #expect(throws: Mine.self) {
            try await withServer { server in
                directory = server.directory
                throw Mine()
            }
        }
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func `cancelling ends the server`() async throws {
        let (directories, sender) = AsyncStream<String>.makeStream()
        await withThrowingTaskGroup { group in
            group.addTask {
                try await withServer { server in
                    sender.yield(server.directory)
                    try await Task.sleep(for: .seconds(600))
                }
            }
            for await directory in directories {
                group.cancelAll()
                await #expect(throws: CancellationError.self) { try await group.next() }
                #expect(!FileManager.default.fileExists(atPath: directory))
                break
            }
        }
    }

    @Test func `a stopped server is woken to be ended`() async throws {
        let directory = try await withServer { server in
            server.kill(SIGSTOP)
            return server.directory
        }
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func `a directory that was given keeps its data`() async throws {
        try await withTemporaryDirectory { parent in
            var configuration = ServerConfiguration()
            // Long enough that its socket has to live elsewhere.
            configuration.directory = parent + "/" + String(repeating: "long", count: 20)
            configuration.isDurable = true
            try await withServer(configuration) { server in
                #expect(server.socketDirectory != server.directory)
                try await execute(server.connection(), "CREATE TABLE kept AS SELECT 5 AS a")
            }
            try await withServer(configuration) { server in
                let kept = try await ask(server.connection(), "TABLE kept")
                let fsync = try await ask(server.connection(), "SHOW fsync")
                #expect(kept == "5")
                #expect(fsync == "on")
            }
        }
    }
}
