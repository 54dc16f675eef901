import Postgres
import Synchronization

/// The keys that were changed since somebody began to listen, so that only they need to be compared again.
///
/// Bounded: a table with more than ``limit`` changed keys counts as changed in whole.
public final class ChangedKeys: Sendable {
    static let limit = 100_000

    /// What changed in one table.
    public enum Change: Sendable {
        /// These rows; each key as ``ChangeSet`` writes it: per column i32 length or -1, then the bytes.
        case keys([[UInt8]])
        /// More than was counted, or a table whose rows have no key.
        case everything
    }

    private struct State {
        var isListening = false
        var tables: [QualifiedName: TableKeys] = [:]
        var truncated: Set<QualifiedName> = []
    }

    private struct TableKeys {
        var map = KeyMap()
        var isEverything = false
    }

    private let state = Mutex(State())

    /// Whether keys are noted.
    var isListening: Bool { state.withLock(\.isListening) }

    /// How many keys are noted; a table that changed in whole counts with the limit.
    var count: Int {
        state.withLock { $0.tables.values.map { $0.isEverything ? Self.limit : $0.map.count }.reduce(0, +) }
    }

    /// The tables that were truncated since the last barrier, or since ``forgetTruncated()``.
    var truncated: Set<QualifiedName> { state.withLock(\.truncated) }

    /// Notes truncated tables anew.
    func forgetTruncated() {
        state.withLock { $0.truncated = [] }
    }

    /// Notes that a table was emptied at once.
    func noteTruncated(_ table: LaneTable) {
        state.withLock { _ = $0.truncated.insert(table.name) }
        noteEverything(of: table)
    }

    /// Stops, and forgets what was noted.
    func stop() {
        state.withLock {
            $0.isListening = false
            $0.tables = [:]
        }
    }

    /// Returns what was noted, and goes on, or begins, with nothing.
    func restart() -> [QualifiedName: Change] {
        state.withLock { state in
            state.isListening = true
            let taken = state.tables.mapValues { table -> Change in
                guard !table.isEverything else { return .everything }
                return .keys((0..<table.map.count).map { Array(table.map.key($0)) })
            }
            state.tables = [:]
            state.truncated = []
            return taken
        }
    }

    /// Notes the keys of a set of changes.
    func note(_ changes: ChangeSet, of table: LaneTable) {
        note(table) { keys in
            changes.forEachKey { key in
                if !keys.isEverything { _ = keys.map.place(of: key) }
                if keys.map.count > Self.limit { keys.isEverything = true }
            }
        }
    }

    /// Notes one key.
    func note(key: UnsafeRawBufferPointer, of table: LaneTable) {
        let key = Array(key)
        note(table) { keys in
            key.withUnsafeBytes { bytes in
                if !keys.isEverything { _ = keys.map.place(of: bytes) }
            }
            if keys.map.count > Self.limit { keys.isEverything = true }
        }
    }

    /// Notes that any row may have changed.
    func noteEverything(of table: LaneTable) {
        note(table) { $0.isEverything = true }
    }

    private func note(_ table: LaneTable, _ change: (inout TableKeys) -> Void) {
        state.withLock { state in
            guard state.isListening else { return }
            change(&state.tables[table.name, default: TableKeys()])
            if table.keyPlaces.isEmpty { state.tables[table.name]?.isEverything = true }
        }
    }
}
