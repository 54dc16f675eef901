/// The operations of a workload in an order that a seed decides, each with a seed of its own.
struct OperationChoice: Sendable {
    private let operations: [Workload.Operation]
    private let total: UInt64
    private var state: UInt64

    /// One session's choices; another session with the same seed chooses otherwise.
    init(among operations: [Workload.Operation], seed: UInt64, session: Int) {
        self.operations = operations
        total = operations.map { UInt64($0.weight) }.reduce(0, +)
        state = seed &+ UInt64(session) &* 0xD1B5_4A32_D192_ED03
        _ = number()
    }

    /// The next operation and the seed to call it with, from 0 to 2^53 - 1.
    mutating func next() -> (operation: Workload.Operation, seed: Int64) {
        var place = number() % max(1, total)
        let seed = Int64(number() >> 11)
        for operation in operations {
            guard place >= UInt64(operation.weight) else { return (operation, seed) }
            place -= UInt64(operation.weight)
        }
        preconditionFailure("a workload needs an operation with a weight")
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    private mutating func number() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
