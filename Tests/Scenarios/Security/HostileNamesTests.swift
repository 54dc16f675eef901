import Postgres
import TestSupport
import Testing

/// Moves databases in which every name and every value would be a statement of its own if it were taken for SQL.
struct HostileNamesTests {
    @Test(.timeLimit(.minutes(6)))
    func `hostile names and values are moved as what they are`() async throws {
        try await withMove { try await there(and: "rollback", $0) }
    }

    /// Where nobody may act as a replica, triggers are disabled and foreign keys dropped, and given back from the journal.
    @Test(.timeLimit(.minutes(6)))
    func `hostile names and values are moved by a role that may do little`() async throws {
        try await withManagedMove(of: "") { try await there(and: "rollback", $0.move) }
    }

    private func there(and back: String, _ move: TestMove) async throws {
        var random = SeededGenerator()
        let database = try await HostileDatabase.make(in: move.source, &random)
        try await move.follow(then: .none) {
            try await database.change(in: move.source)
            try await move.mustBeEqual()
            try await database.stray(in: move.target)
            #expect(try await move.run("verify").status == 2)
            let repair = try await move.run("verify", ["--repair", "--strict"])
            #expect(repair.status == 0, "\(repair.output)\(repair.error)")
            let again = try await move.program.run(["resync", "--target", move.target.secretURI, "--table", "*"])
            #expect(again.status == 0, "\(again.output)\(again.error)")
            try await move.mustBeEqual()
            let definitions = try await move.run("verify", ["--schema"])
            #expect(definitions.status == 0, "\(definitions.output)\(definitions.error)")
            try await move.must("cutover")
            try await database.change(in: move.target)
            try await move.must("verify")
            try await move.must("rollback")
            try await expectCanaries(move)
        }
        try await move.must("abort", "--keep-copy")
        let (left, right) = (try await DatabaseDigest(of: move.source), try await DatabaseDigest(of: move.target))
        #expect(left.differences(from: right) == [])
        let leftovers = try await move.leftovers()
        #expect(leftovers == "")
        try await expectCanaries(move)
    }

    private func expectCanaries(_ move: TestMove) async throws {
        for place in [move.source, move.target] { #expect(try await HostileTexts.isCanaryAlive(in: place)) }
    }
}
