import Catalog
import Cluster
import Foundation
import TestSupport
import Testing

/// Runs the built program the way a person does.
@Suite(.serialized)
struct DemoTests {
    @Test(.timeLimit(.minutes(10)), arguments: [(15, 15), (15, 17), (15, 18), (14, 18)])
    func `a demo moves a shop there and back, and nothing is lost or left behind`(old: Int, new: Int) async throws {
        let known = await TestServer.availableMajors
        guard known.contains(old), known.contains(new) else {
            try Test.cancel("PostgreSQL \(old) and \(new) are not both installed; \"make versions\" fetches them")
        }
        // Other tests share the processors: how long the writers stood still is the demo's to judge, not this test's.
        let folders = [try await TestServer.binaries(major: old), try await TestServer.binaries(major: new)].map(
            \.directory
        )
        let program = MartletProgram(environment: ["MARTLET_PG_DIRS": folders.joined(separator: ":")])
        let outcome = try await program(
            "demo",
            "--scale",
            "0.02",
            "--rate",
            "200",
            "--longest-pause",
            "60000",
            "--postgres-source",
            "\(old)",
            "--postgres-target",
            "\(new)"
        )
        #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.error)")
        for line in [
            #/verdict at rest +equal: 29 tables, [0-9,]+ rows, 30 questions/#, #/left behind +nothing/#,
            #/All checks hold\./#, #/[0-9,]+ on the old server, [0-9,]+ on the new server; .* 0 unknown/#,
            #/verdict under load +equal .* partitions as one table; asked and answered within [0-9.]+ s\n/#,
            #/longest pause +[0-9.]+ ms of .* in the whole demo, between .*, begun while/#,
            #/cutover +[0-9]+ ms by martlet's clock; a writer took at most/#, #/rollback +[0-9]+ ms/#,
        ] {
            #expect(outcome.output.contains(line), "\(outcome.output)")
        }
        #expect(outcome.error.contains("[11/11]"))
    }

    @Test(.timeLimit(.minutes(10)))
    func `a demo tells programs what it measured`() async throws {
        struct Step: Decodable {
            var milliseconds: Double
            var isDowntime: Bool
        }
        struct Figures: Decodable {
            struct Crossing: Decodable {
                var downtimeMilliseconds: Double
                var longestPauseMilliseconds: Double
                var steps: [Step]
            }

            var bytes: Int
            var rows: Int
            var cutover: Crossing
            var rollback: Crossing
            var problems: [String]
        }
        let outcome = try await MartletProgram()(
            "demo",
            "--json",
            "--scale",
            "0.01",
            "--rate",
            "200",
            "--longest-pause",
            "60000"
        )
        #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.error)")
        let figures = try JSONDecoder().decode(Figures.self, from: Data(outcome.output.utf8))
        #expect(figures.problems.isEmpty)
        #expect(figures.rows > 1000 && figures.bytes > 1_000_000)
        for crossing in [figures.cutover, figures.rollback] {
            let standing = crossing.steps.filter(\.isDowntime).map(\.milliseconds).reduce(0, +)
            #expect(standing > 0 && abs(standing - crossing.downtimeMilliseconds) < 1)
            #expect(crossing.longestPauseMilliseconds > 0)
        }
    }
}
