import Synchronization

/// Carries a value that only one task may use from the task that made it to the one that uses it.
final class Transfer<Value>: Sendable {
    private let value: Mutex<Value?>

    init(_ value: sending Value) {
        self.value = Mutex(value)
    }

    /// Gives the value away; the second call finds nothing.
    func take() throws -> sending Value {
        let taken = value.withLock { value -> sending Value? in
            let taken = value
            value = nil
            return taken
        }
        guard let taken else { throw CancellationError() }
        return taken
    }
}
