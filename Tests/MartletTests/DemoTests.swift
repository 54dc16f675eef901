import Testing

/// Runs the built program the way a person does.
struct DemoTests {
    @Test(.timeLimit(.minutes(5)))
    func `a demo moves a shop there and back, and nothing is lost or left behind`() async throws {
        // Other tests share the processors: how long the writers stood still is the demo's to judge, not this test's.
        let outcome = try await MartletProgram()("demo", "--scale", "0.02", "--rate", "200", "--longest-pause", "60000")
        #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.error)")
        for line in [
            #/verdict at rest +equal: 29 tables, [0-9,]+ rows, 30 questions/#, #/left behind +nothing/#,
            #/All checks hold\./#, #/[0-9,]+ on the old server, [0-9,]+ on the new server; .* 0 unknown/#,
            #/cutover +[0-9]+ ms by martlet's clock; longest pause of a writer/#, #/rollback +[0-9]+ ms/#,
        ] {
            #expect(outcome.output.contains(line), "\(outcome.output)")
        }
        #expect(outcome.error.contains("[11/11]"))
    }
}
