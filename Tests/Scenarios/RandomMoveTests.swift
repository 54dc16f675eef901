import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Moves databases that a seed made, beside writers that a seed made, and compares exactly.
///
/// MARTLET_SEEDS=50 runs the seeds 1 to 50, MARTLET_SEED=7 that one, MARTLET_MAJORS="15-15 15-18" chooses the versions, and
/// MARTLET_SHRINK=1 looks for the smallest schema that fails. See `make random`.
@Suite(.serialized)
struct RandomMoveTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let seed: UInt64
        let source: Int
        let target: Int
        var testDescription: String { "seed \(seed), \(source) to \(target)" }
    }

    private static let environment = ProcessInfo.processInfo.environment

    static let cases: [Case] = {
        let pairs = (environment["MARTLET_MAJORS"] ?? "15-15 15-18").split(separator: " ").compactMap { pair in
            let majors = pair.split(separator: "-").compactMap { Int($0) }
            return majors.count == 2 ? (majors[0], majors[1]) : nil
        }
        if let seed = environment["MARTLET_SEED"].flatMap(UInt64.init) {
            return pairs.map { Case(seed: seed, source: $0.0, target: $0.1) }
        }
        if let count = environment["MARTLET_SEEDS"].flatMap(UInt64.init), count > 0 {
            let first = environment["MARTLET_FIRST_SEED"].flatMap(UInt64.init) ?? 1
            return (first..<first + count).flatMap { seed in
                pairs.map { Case(seed: seed, source: $0.0, target: $0.1) }
            }
        }
        return (1...3).map { Case(seed: $0, source: 15, target: $0 % 2 == 0 ? 15 : 18) }
    }()

    @Test(.timeLimit(.minutes(20)), arguments: cases)
    func `a random database is moved as it is`(_ one: Case) async throws {
        do {
            try await Self.run(one)
        } catch let failure as RandomMoveFailure {
            let again =
                "MARTLET_SEED=\(one.seed) MARTLET_MAJORS=\(one.source)-\(one.target) scripts/test --filter RandomMoveTests"
            Issue.record("\(one.testDescription): \(failure)\nrun it again with: \(again)")
        }
    }

    private static func run(_ one: Case) async throws {
        do {
            try await run(one, leavingOut: [])
        } catch let failure as RandomMoveFailure where environment["MARTLET_SHRINK"] != nil {
            throw RandomMoveFailure(
                "\(failure)\nthe smallest schema that fails so:\n\(try await shrunk(one, failing: failure))"
            )
        }
    }

    /// Makes the schema of a seed, without some of its statements, and moves it.
    private static func run(_ one: Case, leavingOut left: Set<Int>) async throws {
        try await withMove(from: one.source, to: one.target) { move in
            let schema = try await schema(of: one, from: move)
            let kept = schema.statements.indices.filter { !left.contains($0) }.map { schema.statements[$0] }
            let random = RandomMove(
                seed: one.seed,
                schema: schema,
                statements: kept,
                isTolerant: !left.isEmpty,
                move: move,
                majors: (one.source, one.target)
            )
            do {
                try await random()
            } catch let failure as any Error & CustomStringConvertible {
                throw RandomMoveFailure("\(failure)\n\(random.log)")
            }
        }
    }

    private static func schema(of one: Case, from move: TestMove) async throws -> RandomSchema {
        let features = try await withConnection(to: move.source) { try RandomFeatures($0) }
            .shared(with: withConnection(to: move.target) { try RandomFeatures($0) })
        return RandomSchema(seed: one.seed, features: features)
    }

    /// The statements that are left when no more can be left out: in halves, quarters, and so on.
    private static func shrunk(_ one: Case, failing failure: RandomMoveFailure) async throws -> String {
        let all = try await withMove(from: one.source, to: one.target) {
            try await schema(of: one, from: $0).statements
        }
        var left: Set<Int> = []
        var size = all.count / 2
        while size > 0 {
            for start in stride(from: 0, to: all.count, by: size) {
                let more = left.union(start..<min(start + size, all.count))
                guard more != left else { continue }
                do {
                    try await run(one, leavingOut: more)
                } catch let other as RandomMoveFailure where other.kind == failure.kind {
                    left = more
                } catch is RandomMoveFailure {
                    continue
                }
            }
            size /= 2
        }
        return all.indices.filter { !left.contains($0) }.map { all[$0].text + ";" }.joined(separator: "\n")
    }
}

/// What a random move did, in the order in which it did it.
final class MoveLog: Sendable, CustomStringConvertible {
    private let lines = Mutex<[String]>([])

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    var description: String { lines.withLock { $0.joined(separator: "\n") } }
}
