import Foundation
import Synchronization
import TestSupport
import Testing

/// Moves under load, while everything fails that can fail; see docs/guide/failures.md for what the faults are.
///
/// `make storm N=1000` runs so many; `MARTLET_SEED` names the first one's seed, and `MARTLET_FAULTS` its faults.
struct StormTests {
    /// The state that the storms of one run share.
    private final class Queue: Sendable {
        private struct State {
            var next: UInt64
            var left: Int
            var failures: [String] = []
            var moves = 0
            var writes = 0
        }

        private let state: Mutex<State>

        init(from seed: UInt64, count: Int) { state = Mutex(State(next: seed, left: count)) }

        func take() -> UInt64? {
            state.withLock { state in
                guard state.left > 0 else { return nil }
                defer { (state.next, state.left) = (state.next &+ 1, state.left - 1) }
                return state.next
            }
        }

        func note(writes: Int, failure: String?) {
            state.withLock { state in
                state.moves += 1
                state.writes += writes
                if let failure { state.failures.append(failure) }
            }
        }

        var result: (failures: [String], moves: Int, writes: Int) {
            state.withLock { ($0.failures, $0.moves, $0.writes) }
        }
    }

    private static let variables = ProcessInfo.processInfo.environment

    @Test(.timeLimit(.minutes(600)))
    func `whatever fails, nothing is lost and nothing is left behind`() async throws {
        let seed = Self.variables["MARTLET_SEED"].flatMap(UInt64.init) ?? .random(in: 0..<1_000_000_000)
        let asked = Self.variables["MARTLET_STORMS"].flatMap(Int.init)
        let count = asked ?? 30
        // Without a number, what fits into some minutes: the machine may be busy.
        let end = ContinuousClock.now + (asked == nil ? .seconds(240) : .seconds(360_000))
        let plan = Self.variables["MARTLET_FAULTS"].flatMap { FaultPlan($0) }
        Self.tell("storm: MARTLET_SEED=\(seed) N=\(count)")
        let queue = Queue(from: seed, count: plan == nil ? count : 1)
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<(plan == nil ? 2 : 1) {
                group.addTask {
                    try await StormWorld.with { world in
                        while ContinuousClock.now < end, let seed = queue.take() {
                            try await weather(StormStory(seed: seed, plan: plan), in: world, queue)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let (failures, moves, writes) = queue.result
        let spent = began.duration(to: .now)
        Self.tell(
            "storm: \(moves) moves from seed \(seed) in \(spent), \(writes) acknowledged writes, \(failures.count) failed"
        )
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n\n"))")
    }

    /// Prints at once, also into a file or a pipe.
    private static func tell(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }

    /// Runs one storm; of one that fails the log is kept and the faults are shrunk.
    private func weather(_ story: StormStory, in world: StormWorld, _ queue: Queue) async throws {
        let began = ContinuousClock.now
        let outcome = try await Storm(world: world, story: story).run()
        guard let failure = outcome.failure else {
            Self.tell(
                "storm \(story.seed) \(story.ending) \(began.duration(to: .now)) \(outcome.writes) writes, \(story.plan.entries.count) faults"
            )
            return queue.note(writes: outcome.writes, failure: nil)
        }
        let file = "/tmp/martlet-storm-\(story.seed).log"
        try outcome.log.write(toFile: file, atomically: true, encoding: .utf8)
        Self.tell("storm FAILED: \(story)\n\(failure)\nlog: \(file)")
        // Nobody waits for long for the shortest list who has not asked for a number of storms.
        let tries =
            Self.variables["MARTLET_SHRINK"].flatMap(Int.init) ?? (Self.variables["MARTLET_STORMS"] == nil ? 2 : 8)
        let shrunk = try await story.plan.shrunk(tries: tries) { plan in
            let again = Storm(world: world, story: StormStory(seed: story.seed, plan: plan), limit: .seconds(120))
            return try await again.run().failure != nil
        }
        let told = "\(story)\nshortest list of faults that fails: MARTLET_FAULTS='\(shrunk)'\n\(failure)\nlog: \(file)"
        Self.tell(told)
        queue.note(writes: outcome.writes, failure: told)
    }
}
