import Catalog
import Foundation
import Testing

@testable import Cluster

/// What the watchdog does when its standard input ends, which is what it sees when martlet is killed.
struct KeeperTests {
    @Test(
        .timeLimit(.minutes(3)),
        arguments: ["", "initialise secret\n", "initialise secret\nstart\n", "initialise secret\nstart\nstart\n"]
    )
    func `nothing is left when the pipe closes at once after`(words: String) async throws {
        let binaries = try await Installation.server()
        let place = try ServerDirectory.temporary()
        let outcome = try await Program.ofServer(
            script: Keeper.script,
            [place.path, binaries.directory, "--no-sync", place.path],
            environment: binaries.serverEnvironment
        ).run(input: words)
        #expect(
            outcome.output.split(separator: "\n").filter { $0.hasPrefix("started") }.count
                == outcome.output.split(separator: "\n").filter { $0.hasPrefix("ended") }.count
        )
        #expect(!FileManager.default.fileExists(atPath: place.path))
        #expect(!Sandbox.isRunning(place))
    }
}
