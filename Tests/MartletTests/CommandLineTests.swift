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
            let martlet = MartletProgram(environment: ["MARTLET_STATE_DIR": directory])
            let sandbox = directory + "/sandboxes/shop"
            let outcome = try await martlet.run(["sandbox", "start", "shop"]) { process in
                try await eventually("initdb has begun") {
                    FileManager.default.fileExists(atPath: sandbox + "/password")
                }
                kill(process, signal)
            }
            #expect(outcome.status == 130)
            #expect(outcome.error.contains("martlet: interrupted"))
            #expect(!FileManager.default.fileExists(atPath: sandbox))
        }
    }
}
