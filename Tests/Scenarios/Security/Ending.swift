import Synchronization

/// That something has ended.
final class Ending: Sendable {
    private let state = Mutex(false)

    var isThere: Bool { state.withLock { $0 } }

    func note() { state.withLock { $0 = true } }
}
