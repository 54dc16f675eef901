import Synchronization

/// Work that several tasks share: each takes the next item when it is done with one.
public final class WorkQueue<Item: Sendable>: Sendable {
    private let rest: Mutex<ArraySlice<Item>>
    /// How many items there were at first.
    public let count: Int

    /// Takes the items in the order in which they are to be begun.
    public init(_ items: [Item]) {
        rest = Mutex(items[...])
        count = items.count
    }

    /// The next item; nil when all have been taken.
    public func next() -> Item? {
        rest.withLock { $0.popFirst() }
    }
}
