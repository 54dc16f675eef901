import Foundation
import Subprocess
import SystemPackage
import Testing

/// Runs the built program the way a person does.
struct DemoTests {
    @Test(.timeLimit(.minutes(5)))
    func `a demo moves a shop there and back, and nothing is lost or left behind`() async throws {
        let martlet = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "martlet")
        let outcome = try await Subprocess.run(
            .path(FilePath(martlet.path)),
            arguments: ["demo", "--scale", "0.02", "--rate", "200"],
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        )
        let report = outcome.standardOutput
        #expect(outcome.terminationStatus == .exited(0), "\(report)\n\(outcome.standardError)")
        for line in [
            #/verdict at rest +equal: 29 tables, [0-9,]+ rows, 30 questions/#, #/left behind +nothing/#,
            #/All checks hold\./#, #/[0-9,]+ on the old server, [0-9,]+ on the new server; .* 0 unknown/#,
            #/cutover +[0-9]+ ms by martlet's clock; longest pause of a writer/#, #/rollback +[0-9]+ ms/#,
        ] {
            #expect(report.contains(line), "\(report)")
        }
        #expect(outcome.standardError.contains("[11/11]"))
    }
}
