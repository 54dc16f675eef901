import Catalog
import Postgres
import TestSupport
import Testing

@testable import Move

@Suite(.databasePair)
struct JobChoiceTests {
    @Test(
        arguments: [
            (
                JobChoice.Facts(processors: 2, pieces: 9, sourceRoom: 50, targetRoom: 50, busy: 0), 2,
                "this machine has 2"
            ),
            (.init(processors: 1, pieces: 9, sourceRoom: 50, targetRoom: nil, busy: 0), 2, "this machine has 1"),
            (.init(processors: 64, pieces: 900, sourceRoom: 90, targetRoom: 90, busy: 3), 16, "this machine has 64"),
            (.init(processors: 8, pieces: 1, sourceRoom: 50, targetRoom: 50, busy: 0), 1, "little to share out"),
            (.init(processors: 8, pieces: 0, sourceRoom: 50, targetRoom: 50, busy: 0), 1, "little to share out"),
            (.init(processors: 8, pieces: 5, sourceRoom: 50, targetRoom: 50, busy: 0), 5, "5 pieces"),
            (.init(processors: 8, pieces: 99, sourceRoom: 50, targetRoom: 3, busy: 0), 3, "the target has few"),
            (.init(processors: 8, pieces: 99, sourceRoom: -4, targetRoom: 3, busy: 0), 1, "the source has few"),
            (.init(processors: 8, pieces: 99, sourceRoom: 50, targetRoom: 50, busy: 8), 4, "8 other sessions are busy"),
            (.init(processors: 8, pieces: 1, sourceRoom: 50, targetRoom: 50, busy: 8), 1, "little to share out"),
        ]
    )
    func `what is scarcest decides how many jobs there are`(facts: JobChoice.Facts, count: Int, reason: String) {
        let choice = JobChoice(facts)
        #expect(choice.count == count && choice.reason.contains(reason), "\(choice)")
    }

    @Test func `one small table needs one job, and many need more`() async throws {
        let pair = DatabasePair.current
        try await run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)", on: pair.source)
        let one = try await Preflight.run(source: pair.source, target: pair.target, options: .init())
        #expect(one.jobs?.count == 1)
        #expect(one["both.jobs"].first?.message == "1 table at a time would be copied, as there is little to share out")
        try await run(
            "DO $$ BEGIN FOR i IN 1..120 LOOP EXECUTE format('CREATE TABLE t%s ()', i); END LOOP; END $$",
            on: pair.source
        )
        let tables = try await withNeutralConnection(to: pair.source) { try Schema($0).tables }
        #expect(JobChoice.pieces(of: tables) == 2)
        var options = Preflight.Options()
        options.jobs = 3
        let given = try await Preflight.run(source: pair.source, target: pair.target, options: options)
        #expect(given.jobs == nil && given["both.jobs"].isEmpty)
    }
}
