public import Engine
import Foundation
import Postgres
import Synchronization

/// What a worker does and has done, for its terminal and for its heartbeat.
public final class WorkProgress: Sendable {
    /// A piece in hand.
    public struct Current: Sendable, Hashable {
        /// What it is.
        public let title: Journal.PieceTitle
        let claim: Int
        /// What is copied of it.
        public var amount = Journal.Amount()
    }

    /// All that was done since the program began, also for several runs of the one that leads the load.
    public struct Total: Sendable, Hashable, Codable {
        /// Parts that were copied; a table that is not cut counts as one.
        public var parts = 0
        /// Tables of which something was copied.
        public var tables = 0
        /// Indexes that were built.
        public var indexes = 0
        /// Rows that were copied.
        public var rows = 0
        /// Bytes that were copied.
        public var bytes = 0
    }

    private struct State {
        var sessions: [Current?] = []
        var total = Total()
        var tables: Set<QualifiedName> = []
    }

    private let state = Mutex(State())
    private let tell: @Sendable (String) -> Void

    /// Begins with nothing; `tell` is called with each piece that begins or is done.
    public init(tell: @escaping @Sendable (String) -> Void = { _ in }) {
        self.tell = tell
    }

    /// What each session has in hand; nil for one that waits.
    public var sessions: [Current?] { state.withLock(\.sessions) }

    /// What was done.
    public var total: Total { state.withLock(\.total) }

    /// The pieces in hand, by their claims.
    var current: [Int: Journal.Amount] {
        let pieces = sessions.compactMap(\.self)
        return Dictionary(pieces.map { ($0.claim, $0.amount) }) { first, _ in first }
    }

    func begin(sessions: Int) {
        state.withLock { $0.sessions = Array(repeating: nil, count: sessions) }
    }

    func begin(_ title: Journal.PieceTitle, _ claim: Int, session: Int) {
        state.withLock { $0.sessions[session] = Current(title: title, claim: claim) }
    }

    func add(_ amount: Journal.Amount, to claim: Int) {
        state.withLock { state in
            for index in state.sessions.indices where state.sessions[index]?.claim == claim {
                state.sessions[index]?.amount.rows += amount.rows
                state.sessions[index]?.amount.bytes += amount.bytes
            }
        }
    }

    /// Forgets a piece, which is done or is not.
    func drop(_ claim: Int, session: Int) {
        state.withLock { $0.sessions[session] = nil }
    }

    func done(_ title: Journal.PieceTitle, table: QualifiedName, _ amount: Journal.Amount) {
        state.withLock { state in
            switch title.kind {
            case .copy: state.total.parts += 1
            case .index: state.total.indexes += 1
            }
            if title.kind == .copy, state.tables.insert(table).inserted { state.total.tables += 1 }
            state.total.rows += amount.rows
            state.total.bytes += amount.bytes
        }
        switch title.kind {
        case .copy: tell("copied \(title.text): \(Quantity.of(amount.rows, "row"))")
        case .index: tell("built \(title.text)")
        }
    }
}
