import Postgres
import Testing

@testable import Cluster

struct WorkloadPartsTests {
    static let operations = [
        Workload.Operation(name: "often", weight: 9, statement: "SELECT $1::bigint"),
        Workload.Operation(name: "seldom", weight: 1, statement: "SELECT $1::bigint"),
    ]

    @Test func `a seed decides every choice`() {
        func choices(_ seed: UInt64, _ session: Int) -> [Int64] {
            var choice = OperationChoice(among: Self.operations, seed: seed, session: session)
            return (0..<100).flatMap { _ in choice.next().numbers }
        }
        #expect(choices(7, 1) == choices(7, 1))
        #expect(choices(7, 1) != choices(7, 2))
        #expect(choices(7, 1) != choices(8, 1))
        #expect(choices(7, 1).allSatisfy { (0..<1 << 53).contains($0) })
    }

    @Test func `operations are chosen by their weight`() {
        var choice = OperationChoice(among: Self.operations, seed: 1, session: 0)
        let seldom = (0..<10_000).count { _ in choice.next().operation.name == "seldom" }
        #expect((900...1100).contains(seldom))
    }

    @Test func `percentiles are never too short and at most a sixteenth too long`() {
        var histogram = LatencyHistogram()
        for number in 1...10_000 { histogram.add(.microseconds(number)) }
        for (share, exact) in [(0.001, 10), (0.5, 5000), (0.95, 9500), (0.99, 9900), (1, 10_000)] {
            let found = histogram.percentile(share)
            #expect(found >= .microseconds(exact) && found <= .microseconds(exact * 17 / 16 + 1))
        }
        #expect(histogram.longest == .milliseconds(10) && histogram.count == 10_000)
        histogram.add(.seconds(90_000))
        #expect(histogram.percentile(1) > .seconds(4000))
    }

    @Test func `an empty histogram answers zero`() {
        #expect(LatencyHistogram().percentile(0.99) == .zero)
    }

    @Test func `a latecomer does not catch up on everything`() async throws {
        let start = ContinuousClock.now
        var pace = Pace(rate: 1000, session: 0, of: 1, from: start - .milliseconds(200))
        for _ in 0..<30 { try await pace.wait() }
        #expect(ContinuousClock.now - start > .milliseconds(15))
    }
}
