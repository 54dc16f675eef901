/// The operations of a workload in an order that a seed decides, each with numbers of its own.
struct OperationChoice: Sendable {
    private let operations: [Workload.Operation]
    private let total: UInt64
    private var numbers: SeededNumbers

    /// One session's choices; another session with the same seed chooses otherwise.
    init(among operations: [Workload.Operation], seed: UInt64, session: Int) {
        self.operations = operations
        total = operations.map { UInt64($0.weight) }.reduce(0, +)
        numbers = SeededNumbers(seed: seed &+ UInt64(session) &* 0xD1B5_4A32_D192_ED03)
        _ = numbers.next()
    }

    /// The next operation and its parameters, from 0 to 2^53 - 1.
    mutating func next() -> (operation: Workload.Operation, numbers: [Int64]) {
        var place = numbers.next() % max(1, total)
        for operation in operations {
            guard place >= UInt64(operation.weight) else {
                return (operation, (0..<operation.parameterCount).map { _ in Int64(numbers.next() >> 11) })
            }
            place -= UInt64(operation.weight)
        }
        preconditionFailure("a workload needs an operation with a weight")
    }
}
