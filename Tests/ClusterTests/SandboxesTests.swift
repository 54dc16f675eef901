import Foundation
import Postgres
import TestSupport
import Testing

@testable import Cluster

struct SandboxesTests {
    @Test func `a sandbox starts, stops, starts again with its data, and is removed`() async throws {
        try await withSandboxes { sandboxes in
            let first = try await sandboxes.start("shop")
            #expect(first.status == .running)
            let place = try #require(first.connection())
            try await execute(place, "CREATE TABLE kept AS SELECT 3 AS a")
            try await sandboxes.stop("shop")
            try await sandboxes.stop("shop")
            #expect(try sandboxes.find("shop").status == .stopped)
            let second = try await sandboxes.start("shop", .init(settings: ["work_mem": "9MB"]))
            #expect(second.settings == ["work_mem": "9MB"])
            #expect(try await ask(place, "TABLE kept") == "3")
            #expect(try await ask(place, "SHOW work_mem") == "9MB")
            #expect(sandboxes.list().map(\.name) == ["shop"])
            try await sandboxes.remove("shop")
            #expect(sandboxes.list().isEmpty)
        }
    }

    @Test func `a wrong setting leaves a running sandbox as it was, and nothing of a new one`() async throws {
        try await withSandboxes { sandboxes in
            let wrong = Sandboxes.Wish(settings: ["no_such_setting": "1"])
            await #expect(throws: PostgresError.self) { try await sandboxes.start("fresh", wrong) }
            #expect(sandboxes.list().isEmpty)
            let sandbox = try await sandboxes.start("old")
            await #expect(throws: PostgresError.self) { try await sandboxes.start("old", wrong) }
            #expect(try sandboxes.find("old").status == .running)
            #expect(try await ask(#require(sandbox.connection()), "SELECT 1") == "1")
        }
    }

    @Test func `a sandbox whose making was killed is made anew`() async throws {
        try await withSandboxes { sandboxes in
            try ServerDirectory(path: sandboxes.directory + "/half").make()
            #expect(try sandboxes.find("half").status == .incomplete)
            #expect(try await sandboxes.start("half").status == .running)
        }
    }

    @Test func `TCP keeps its port and its password`() async throws {
        try await withSandboxes { sandboxes in
            let first = try await sandboxes.start("web", .init(tcp: .anyPort))
            try await sandboxes.stop("web")
            let second = try await sandboxes.start("web")
            #expect(first.uri() == second.uri())
            #expect(try await ask(ConnectionString(#require(second.uri())), "SELECT 1") == "1")
        }
    }

    @Test func `two commands on one name take turns`() async throws {
        try await withSandboxes { sandboxes in
            try await withThrowingTaskGroup { group in
                for _ in 1...3 { group.addTask { try await sandboxes.start("busy").process } }
                var processes: Set<Int32?> = []
                for try await process in group { processes.insert(process) }
                #expect(processes.count == 1)
            }
        }
    }

    @Test(arguments: ["", "A", "a b", "../up", ".lock", "-x", String(repeating: "x", count: 41)])
    func `a name that is none is refused`(name: String) async throws {
        try await withSandboxes { sandboxes in
            await #expect(throws: PostgresError.self) { try await sandboxes.start(name) }
            await #expect(throws: PostgresError.self) { try await sandboxes.remove(name) }
        }
    }

    /// Gives `body` a place without sandboxes, and removes those that it leaves.
    private func withSandboxes(_ body: (Sandboxes) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let sandboxes = Sandboxes(directory: directory + "/sandboxes")
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body(sandboxes)) } catch { outcome = .failure(error) }
            for sandbox in sandboxes.list() { try await sandboxes.remove(sandbox.name) }
            try outcome.get()
        }
    }
}

extension Sandbox {
    fileprivate var process: Int32? { place.lock?.process }
}
