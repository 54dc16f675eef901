import Foundation

/// Random numbers that a seed decides: SplitMix64 (Steele, Lea and Flood, 2014), the same on every machine.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    /// What decides the sequence.
    public let seed: UInt64
    private var state: UInt64

    /// Starts a sequence; equal seeds make equal sequences.
    public init(seed: UInt64) {
        self.seed = seed
        state = seed &* 0xd134_2543_de82_ef95 &+ 0x2545_f491_4f6c_dd1d
    }

    /// Starts the sequence of `MARTLET_TEST_SEED`, or of a new seed, and prints it.
    public init() {
        let given = ProcessInfo.processInfo.environment["MARTLET_TEST_SEED"].flatMap { UInt64($0) }
        self.init(seed: given ?? .random(in: 0 ... .max))
        print("MARTLET_TEST_SEED=\(seed)")
    }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    /// A sequence of its own, so that what is drawn from it does not move what is drawn here.
    public mutating func fork() -> Self { Self(seed: next()) }

    /// True in so many of a hundred cases.
    public mutating func chance(_ percent: Int) -> Bool { int(0...99) < percent }

    /// A number of a range.
    public mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// One of several; there must be one.
    public mutating func pick<Choices: RandomAccessCollection>(_ choices: Choices) -> Choices.Element {
        choices[choices.index(choices.startIndex, offsetBy: int(0...choices.count - 1))]
    }

    /// Some of several, each at most once, in any order; fewer when there are not so many.
    public mutating func pick<Choices: RandomAccessCollection>(
        _ count: ClosedRange<Int>,
        of choices: Choices
    ) -> [Choices.Element] {
        Array(choices.shuffled(using: &self).prefix(int(count)))
    }
}
