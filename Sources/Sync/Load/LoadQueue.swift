import Catalog
import Foundation
import Postgres
import Synchronization

/// What is left to do of a load, and in which order.
///
/// The most expensive piece that can be started is given out first: big tables begin at once, and
/// their indexes are built while smaller tables are still being copied. A table's indexes become
/// available with its last part, its constraints with its last index.
final class LoadQueue: Sendable {
    /// Indirect, so that it is a reference that moves when the queue keeps its order, and not the description of a table.
    indirect enum Item: Sendable {
        /// Copy a part; the last one to end completes the table.
        case part(LoadTable, Range<Int>?)
        /// Build an index.
        case index(LoadTable, Index)
        /// Put the constraints on the indexes, and analyse.
        case finish(LoadTable)
    }

    /// What is done first: by the order that was asked for, then by what takes longest.
    private struct Cost: Comparable {
        let order: Int
        let bytes: Int

        static func < (left: Self, right: Self) -> Bool { (left.order, left.bytes) < (right.order, right.bytes) }
    }

    private struct State {
        var ready: [(item: Item, cost: Cost)] = []
        var partsLeft: [UInt32: Int] = [:]
        var indexesLeft: [UInt32: Int] = [:]
        var running = 0
        var isShared = false

        /// Puts a piece at its place by cost: to sort ten thousand tables after each of them takes longer than to copy them.
        mutating func add(_ item: Item, cost: Cost) {
            var (low, high) = (ready.startIndex, ready.endIndex)
            while low < high {
                let middle = (low + high) / 2
                if ready[middle].cost < cost { low = middle + 1 } else { high = middle }
            }
            ready.insert((item, cost), at: low)
        }
    }

    private let state: Mutex<State>
    private let bell = Bell()

    /// Of the `loaded` tables the rows are there already; only their indexes are left.
    init(_ tables: [LoadTable], loaded: [LoadTable]) {
        var state = State()
        for load in tables {
            state.partsLeft[load.table.oid] = load.parts.count
            for part in load.parts {
                let item = Item.part(load, part)
                state.ready.append((item, Self.cost(of: item)))
            }
        }
        state.ready.sort { $0.cost < $1.cost }
        for load in loaded { Self.addIndexes(of: load, to: &state) }
        self.state = Mutex(state)
    }

    /// Gives out the next piece, waiting for one while others may still bring some; nil when all is done.
    func next() throws(PostgresError) -> Item? {
        while true {
            if Task.isCancelled { throw .cancelled }
            var found: Item?
            // Nobody rings when the task is cancelled.
            let isOver = bell.wait(until: .now + .milliseconds(200)) {
                state.withLock { state in
                    found = state.ready.popLast()?.item
                    if found != nil { state.running += 1 }
                    return found != nil || state.running == 0
                }
            }
            if isOver { return found }
        }
    }

    /// Whether other machines have ever got pieces of it.
    var isShared: Bool { state.withLock(\.isShared) }

    /// Notes that other machines get pieces from now on.
    func share() {
        state.withLock { $0.isShared = true }
    }

    /// Gives out the next piece for another machine, and nil when there is none now: the end of a table is ours.
    func nextForOthers() -> Item? {
        state.withLock { state in
            let isForOthers = { (piece: (item: Item, cost: Cost)) in
                if case .finish = piece.item { false } else { true }
            }
            guard let place = state.ready.lastIndex(where: isForOthers) else { return nil }
            state.running += 1
            return state.ready.remove(at: place).item
        }
    }

    /// Takes a piece back that was given out and is not done.
    func giveBack(_ item: Item) {
        state.withLock { state in
            state.running -= 1
            state.add(item, cost: Self.cost(of: item))
        }
        bell.ring()
    }

    /// The table whose last part this piece is, when it is one.
    func completed(by item: Item) -> QualifiedName? {
        guard case .part(let load, _) = item else { return nil }
        return state.withLock { state in
            state.partsLeft[load.table.oid, default: 1] -= 1
            return state.partsLeft[load.table.oid] == 0 ? load.table.name : nil
        }
    }

    /// Notes that a piece is done, and makes available what it was in the way of.
    ///
    /// The parts of a table are asked for by ``completed(by:)`` first; only the one that completes it brings its indexes.
    func done(_ item: Item, completing table: QualifiedName? = nil) {
        state.withLock { state in
            state.running -= 1
            switch item {
            case .part(let load, _):
                if table != nil { Self.addIndexes(of: load, to: &state) }
            case .index(let load, _):
                state.indexesLeft[load.table.oid, default: 1] -= 1
                if state.indexesLeft[load.table.oid] == 0 {
                    state.add(.finish(load), cost: Self.cost(of: .finish(load)))
                }
            case .finish: break
            }
        }
        bell.ring()
    }

    private static func addIndexes(of load: LoadTable, to state: inout State) {
        let indexes = load.table.indexes.filter(\.isBuiltAlone)
        state.indexesLeft[load.table.oid] = indexes.count
        for item in indexes.map({ Item.index(load, $0) }) + (indexes.isEmpty ? [.finish(load)] : []) {
            state.add(item, cost: cost(of: item))
        }
    }

    private static func cost(of item: Item) -> Cost {
        switch item {
        case .part(let load, _): Cost(order: load.order, bytes: load.table.bytes / load.parts.count)
        case .index(let load, let index): Cost(order: load.order, bytes: index.bytes + load.table.bytes / 2)
        case .finish: Cost(order: 0, bytes: 0)
        }
    }
}

extension Index {
    /// Whether the index is built by CREATE INDEX, before its constraint is put on it.
    ///
    /// An exclusion constraint, or a temporal key, cannot take an index that is there.
    var isBuiltAlone: Bool {
        guard !isPartitioned, isValid else { return false }
        guard let constraint else { return true }
        return constraint.kind != "x" && !constraint.definition.contains("WITHOUT OVERLAPS")
    }
}
