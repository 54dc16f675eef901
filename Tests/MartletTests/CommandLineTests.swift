import Foundation
import TestSupport
import Testing

/// The program from outside: what it prints where, and how it exits.
struct CommandLineTests {
    @Test func `the version is a result`() async throws {
        let outcome = try await MartletProgram()("--version")
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("martlet "))
        #expect(outcome.error.isEmpty)
    }

    @Test(arguments: [[], ["--help"], ["help", "sandbox"], ["sandbox"], ["sandbox", "start", "--help"]])
    func `help is a result`(arguments: [String]) async throws {
        let outcome = try await MartletProgram().run(arguments)
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("USAGE: martlet"))
    }

    @Test(arguments: [
        ["nothing"], ["sandbox", "nothing"], ["sandbox", "start"], ["sandbox", "start", "x", "--tcp", "99999"],
        ["sandbox", "start", "x", "--set", "novalue"], ["--nothing"],
    ])
    func `a wrong call exits with 64 and says so on stderr`(arguments: [String]) async throws {
        let outcome = try await MartletProgram().run(arguments)
        #expect(outcome.status == 64)
        #expect(outcome.output.isEmpty)
        #expect(outcome.error.hasPrefix("martlet: error: "))
    }

    @Test func `a malformed connection string is a wrong call`() async throws {
        let outcome = try await MartletProgram()("status", "--target", "host=h sslmod=require")
        #expect(outcome.status == 64)
        #expect(outcome.error.hasPrefix("martlet: error: could not understand the connection string\nDETAIL: "))
        #expect(outcome.error.contains("\"sslmod\""))
    }

    @Test func `a failure exits with 1, with its hint on stderr`() async throws {
        try await withTemporaryDirectory { directory in
            let martlet = MartletProgram(environment: ["MARTLET_STATE_DIR": directory])
            let outcome = try await martlet("sandbox", "stop", "nobody")
            #expect(outcome.status == 1)
            #expect(outcome.output.isEmpty)
            #expect(outcome.error.hasPrefix("martlet: error: could not find sandbox \"nobody\"\nDETAIL: "))
            #expect(outcome.error.contains("HINT: Make it with \"martlet sandbox start nobody\"."))
        }
    }

    @Test func `a connection that is missing shows the usage of the command`() async throws {
        let martlet = MartletProgram(environment: ["MARTLET_SOURCE": "", "MARTLET_TARGET": ""])
        let outcome = try await martlet("finish")
        #expect(outcome.status == 64)
        #expect(
            outcome.error.hasPrefix("martlet: error: Give --source, or set MARTLET_SOURCE.\nUsage: martlet finish [")
        )
    }

    @Test func `nobody who removes a sandbox is told how to make it`() async throws {
        try await withTemporaryDirectory { directory in
            let martlet = MartletProgram(environment: ["MARTLET_STATE_DIR": directory])
            let outcome = try await martlet("sandbox", "remove", "nobody")
            #expect(outcome.status == 1)
            #expect(outcome.error.hasPrefix("martlet: error: could not find sandbox \"nobody\"\nDETAIL: "))
            #expect(!outcome.error.contains("HINT"))
        }
    }

    @Test func `a sandbox that does not start shows the end of its log, not a file that is gone`() async throws {
        try await withTemporaryDirectory { directory in
            let martlet = MartletProgram(environment: ["MARTLET_STATE_DIR": directory])
            let outcome = try await martlet("sandbox", "start", "shop", "--set", "no_such=1")
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("unrecognized configuration parameter \"no_such\""))
            #expect(!outcome.error.contains("/sandboxes/shop/log"))
        }
    }

    @Test func `a sandbox prints a connection string and nothing else on stdout`() async throws {
        try await withTemporaryDirectory { directory in
            let martlet = MartletProgram(environment: ["MARTLET_STATE_DIR": directory])
            let start = try await martlet("sandbox", "start", "shop")
            let list = try await martlet("sandbox", "list", "--json")
            let remove = try await martlet("sandbox", "remove", "shop")
            #expect(start.status == 0)
            #expect(start.output.split(separator: "\n").count == 1)
            #expect(start.output.hasPrefix("postgresql://postgres@"))
            let shown = try #require(JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
            #expect(shown.first?["connection"] as? String == start.output.trimmingCharacters(in: .newlines))
            #expect(shown.first?["status"] as? String == "running")
            #expect(remove.status == 0)
            #expect(remove.output.isEmpty)
        }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `a signal while a sandbox is made exits with 130 and leaves nothing`(signal: Int32) async throws {
        try await withTemporaryDirectory { directory in
            try installSlowServer(in: directory + "/bin")
            let path = directory + "/bin:" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
            let martlet = MartletProgram(environment: ["MARTLET_STATE_DIR": directory, "PATH": path])
            let sandbox = directory + "/sandboxes/shop"
            let outcome = try await martlet.run(["sandbox", "start", "shop"]) { process in
                try await eventually("initdb has begun") { FileManager.default.fileExists(atPath: sandbox + "/data") }
                kill(process, signal)
                #expect(FileManager.default.createFile(atPath: directory + "/bin/signalled", contents: nil))
            }
            #expect(outcome.status == 130)
            #expect(outcome.error.contains("martlet: interrupted"))
            #expect(!FileManager.default.fileExists(atPath: sandbox))
        }
    }

    /// Programs that stand for a server whose initdb ends two seconds after the file `signalled` is there.
    private func installSlowServer(in directory: String) throws {
        let files = FileManager.default
        try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let initdb = """
            mkdir "$2"
            rounds=0
            while [ ! -e "\(directory)/signalled" ] && [ $rounds -lt 1200 ]; do
                sleep 0.1
                rounds=$((rounds + 1))
            done
            sleep 2
            """
        let programs = ["postgres": "echo 'postgres (PostgreSQL) 15.0'", "initdb": initdb, "pg_ctl": "exit 1"]
        for (name, script) in programs {
            let text = Data("#!/bin/sh\n\(script)\n".utf8)
            _ = files.createFile(atPath: directory + "/" + name, contents: text, attributes: [.posixPermissions: 0o755])
        }
    }
}
